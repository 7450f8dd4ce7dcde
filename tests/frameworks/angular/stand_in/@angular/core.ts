// As much of @angular/core as the page needs, in its shape: one of each class, made when first asked for.

const made = new Map<unknown, unknown>();

export function Injectable(_: { providedIn: "root" }): ClassDecorator {
  return () => undefined;
}

export function inject<T>(type: new () => T): T {
  if (!made.has(type)) made.set(type, new type());
  return made.get(type) as T;
}
