/** The object with some of its methods replaced: how checkers look on, and how tests plant bugs around real parts. */
export function over<T extends object>(target: T, replaced: { readonly [K in keyof T]?: T[K] | undefined }): T {
  return new Proxy(target, {
    get(_, name) {
      if (Reflect.has(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
