// The types of @angular/core that the piece for Angular needs; it runs on the real one.

export declare function Injectable(options: { providedIn: "root" }): ClassDecorator;
export declare function inject<T>(type: abstract new (...values: never[]) => T): T;
