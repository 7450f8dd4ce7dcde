// The types of @angular/common/http that the piece for Angular needs; it runs on the real one.

import { Observable } from "rxjs";

export declare class HttpClient {
  get<T>(url: string): Observable<T>;
  post<T>(url: string, body: unknown): Observable<T>;
}
