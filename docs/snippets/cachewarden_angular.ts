// Cachewarden in Angular 16.1 or later: HttpClient keeps answers until the user's cache is cleared.
//
//   provideHttpClient(withFetch()) // app.config.ts
//
// It needs cachewarden-sync.mjs beside it, with its other half and its types: what is kept, and when it is dropped, is
// said there. CacheApi is for the buttons of a page, and tells when to show the data again:
//
//   inject(CacheApi).changes.subscribe(() => this.load());

import { HttpClient } from "@angular/common/http";
import { Injectable, inject } from "@angular/core";
import { Observable } from "rxjs";

import { type CacheChange, cachewardenSync } from "./cachewarden-sync.mjs";

// In the place of fetch, which HttpClient uses then. With { user: () => id } where answers do not say whose they are.
export const sync = cachewardenSync({ base: "/" }).install();

export interface CacheState {
  enabled: boolean;
  version: number;
  message: string;
}

export interface CacheCleared {
  version: number;
  cleared: boolean;
  message: string;
}

@Injectable({ providedIn: "root" })
export class CacheApi {
  private readonly http = inject(HttpClient);

  status = (): Observable<CacheState> => this.http.get<CacheState>("/api/cache/status/");
  enable = (): Observable<CacheState> => this.http.post<CacheState>("/api/cache/enable/", null);
  disable = (): Observable<CacheState> => this.http.post<CacheState>("/api/cache/disable/", null);
  clear = (): Observable<CacheCleared> => this.http.post<CacheCleared>("/api/cache/clear/", null);

  // Cleared, switched, written, forgotten: here or in another tab.
  readonly changes = new Observable<CacheChange>((observer) => {
    const tell = ({ detail }: CustomEvent<CacheChange>) => observer.next(detail);
    sync.addEventListener("change", tell);
    return () => sync.removeEventListener("change", tell);
  });

  // When somebody signs in or out otherwise than by /auth/.
  forget = (): Promise<void> => sync.forget();
}
