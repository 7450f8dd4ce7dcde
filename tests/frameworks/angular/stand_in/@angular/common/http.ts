// As much of @angular/common/http as the page needs, in its shape, over fetch.

import { Observable } from "rxjs";

export class HttpHeaders {
  constructor(private readonly headers: Headers) {}

  get(name: string): string | null {
    return this.headers.get(name);
  }
}

export interface HttpRequest<T> {
  readonly method: string;
  readonly url: string;
  readonly urlWithParams: string;
  readonly responseType: "arraybuffer" | "blob" | "json" | "text";
  readonly body: T | null;
}

export class HttpResponse<T> {
  constructor(
    readonly headers: HttpHeaders,
    readonly body: T | null,
  ) {}

  clone(): HttpResponse<T> {
    return new HttpResponse(this.headers, this.body);
  }
}

export type HttpEvent<T> = { readonly type: "sent" } | HttpResponse<T>;
export type HttpHandlerFn = (request: HttpRequest<unknown>) => Observable<HttpEvent<unknown>>;
export type HttpInterceptorFn = (
  request: HttpRequest<unknown>,
  next: HttpHandlerFn,
) => Observable<HttpEvent<unknown>>;

// What the page's origin is, and who has signed in: set by the test.
export const page = {
  send: (_method: string, _url: string): Promise<Response> => Promise.reject(),
  interceptor: undefined as HttpInterceptorFn | undefined,
};

export class HttpClient {
  get = <T>(url: string): Observable<T> => this.request("GET", url);
  post = <T>(url: string, _body: unknown): Observable<T> => this.request("POST", url);

  private request<T>(method: string, url: string): Observable<T> {
    const request = { method, url, urlWithParams: url, responseType: "json" as const, body: null };
    return new Observable((next, fail, end) => {
      page.interceptor!(request, fetched).subscribe(
        (event) => {
          if (event instanceof HttpResponse) next(event.body as T);
        },
        fail,
        end,
      );
    });
  }
}

const fetched: HttpHandlerFn = (request) =>
  new Observable((next, fail, end) => {
    next({ type: "sent" });
    page
      .send(request.method, request.url)
      .then(async (answer) => {
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${answer.status} ${text}`);
        next(new HttpResponse(new HttpHeaders(answer.headers), text ? JSON.parse(text) : null));
        end();
      })
      .catch(fail);
  });
