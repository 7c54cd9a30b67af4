/** What is there at once or later. Waiting for what is there would send a keystroke to the end of the queue at every hand it passes through. */
export type Pending<T> = T | Promise<T>

/** All of them, at once when all are there. */
export function allOf<T>(values: readonly Pending<T>[]): Pending<readonly T[]> {
  const isThere = (value: Pending<T>): value is T => !(value instanceof Promise)
  return values.every(isThere) ? values : Promise.all(values)
}
