// The types of cachewarden-sync.mjs.

export interface SyncOptions {
  base?: string | URL | (string | URL)[];
  user?: () => string | number | null | undefined;
  fetch?: (request: Request) => Promise<Response>;
  maxAgeS?: number;
  maxBytes?: number;
  maxEntryBytes?: number;
  maxEntries?: number;
  patienceMs?: number;
  awayMs?: number;
  name?: string;
}

export interface CacheChange {
  reason: "cleared" | "switched" | "written" | "forgotten";
  version?: string | null;
  isEnabled?: boolean;
  isFromAnotherTab: boolean;
}

export interface CachewardenSync {
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  forget(): Promise<void>;
  settled(): Promise<void>;
  install(): this;
  close(): void;
  addEventListener(
    type: "change",
    listener: (event: CustomEvent<CacheChange>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener(type: "change", listener: (event: CustomEvent<CacheChange>) => void): void;
}

export function cachewardenSync(options?: SyncOptions): CachewardenSync;
