// As much of RxJS as the page needs, in its shape.

type Next<T> = (value: T) => void;
type Operator<T, R> = (source: Observable<T>) => Observable<R>;

export class Observable<T> {
  constructor(private readonly start: (next: Next<T>, fail: Next<unknown>, end: () => void) => void) {}

  subscribe(next: Next<T>, fail: Next<unknown>, end: () => void): void {
    this.start(next, fail, end);
  }

  pipe<R>(operator: Operator<T, R>): Observable<R> {
    return operator(this);
  }
}

export function of<T>(value: T): Observable<T> {
  return new Observable((next, _, end) => {
    next(value);
    end();
  });
}

export function tap<T>(look: Next<T>): Operator<T, T> {
  return (source) =>
    new Observable((next, fail, end) => {
      source.subscribe(
        (value) => {
          look(value);
          next(value);
        },
        fail,
        end,
      );
    });
}

export function lastValueFrom<T>(source: Observable<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let last: T;
    source.subscribe((value) => (last = value), reject, () => resolve(last));
  });
}
