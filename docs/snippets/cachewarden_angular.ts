// Cachewarden in Angular 15 or later: the page keeps answers, until one comes with another version.
//
//   provideHttpClient(withInterceptors([localCopy]))
//
// Whoever is served from a copy hears no news: ask CacheApi.status() when the page comes back to the
// front. When somebody signs in or out, call LocalCopy.forget().

import { HttpClient, HttpHeaders, HttpInterceptorFn, HttpResponse } from "@angular/common/http";
import { Injectable, inject } from "@angular/core";
import { Observable, of, tap } from "rxjs";

@Injectable({ providedIn: "root" })
export class LocalCopy {
  // In IndexedDB, if it shall outlive the page; then keep the version beside it, and whose it is.
  answers = new Map<string, HttpResponse<unknown>>();
  // Then what is kept is not shown. Afterwards it is good again, unless the version changed.
  isOff = false;
  private version: string | null = null;

  // A new map: an answer that is still on its way lands in the old one, where nobody looks.
  forget(): void {
    this.answers = new Map();
    this.version = null;
    this.isOff = false;
  }

  // Whether what came with these headers may be kept. Nobody's answers have none, and tell nothing.
  see(headers: HttpHeaders): boolean {
    const version = headers.get("X-Cache-Version");
    const isEnabled = headers.get("X-Cache-Enabled");
    if (version && this.version && isOlder(version, this.version)) return false;
    if (version && this.version && version !== this.version) this.forget();
    if (version) this.version = version;
    if (isEnabled) this.isOff = isEnabled === "false";
    return version !== null;
  }
}

// Versions only rise, so this answer was overtaken.
const isOlder = (a: string, b: string): boolean => a.length < b.length || (a.length === b.length && a < b);

export const localCopy: HttpInterceptorFn = (request, next) => {
  const copy = inject(LocalCopy);
  const answers = copy.answers;
  const isRead = request.method === "GET" && !request.url.includes("/api/cache/");
  const key = `${request.responseType} ${request.urlWithParams}`;
  const kept = isRead && !copy.isOff ? answers.get(key) : undefined;

  if (kept) return of(kept.clone());
  return next(request).pipe(
    tap((event) => {
      if (event instanceof HttpResponse && copy.see(event.headers) && isRead) answers.set(key, event);
    }),
  );
};

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

// The buttons of a page. The answers pass localCopy, so a clear empties the page's copy, too.
@Injectable({ providedIn: "root" })
export class CacheApi {
  private readonly http = inject(HttpClient);

  status = (): Observable<CacheState> => this.http.get<CacheState>("/api/cache/status/");
  enable = (): Observable<CacheState> => this.http.post<CacheState>("/api/cache/enable/", null);
  disable = (): Observable<CacheState> => this.http.post<CacheState>("/api/cache/disable/", null);
  clear = (): Observable<CacheCleared> => this.http.post<CacheCleared>("/api/cache/clear/", null);
}
