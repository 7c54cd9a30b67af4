/** For what cannot happen unless Segue itself is wrong. Bad input is never asserted: it gets a SegueError. */
export function assert(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new Error(`broken promise: ${promise}`)
}

/** For the last branch of a switch over a closed union. */
export function unreachable(value: never): never {
  throw new Error(`broken promise: unexpected ${JSON.stringify(value)}`)
}
