// The types of RxJS that the piece for Angular needs; it runs on the real one.

export interface Observer<T> {
  next(value: T): void;
}

export declare class Observable<T> {
  constructor(start: (observer: Observer<T>) => () => void);
}
