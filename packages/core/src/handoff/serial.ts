/** One after another: tasks under the same key wait for each other, failures included. */
export interface SerialQueue<Key> {
  run<T>(key: Key, task: () => Promise<T>): Promise<T>
}

export function createSerialQueue<Key>(): SerialQueue<Key> {
  const tails = new Map<Key, Promise<unknown>>()
  return {
    run(key, task) {
      const before = tails.get(key) ?? Promise.resolve()
      const result = before.then(task)
      const tail = result
        .catch(() => undefined)
        .then(() => {
          if (tails.get(key) === tail) tails.delete(key)
        })
      tails.set(key, tail)
      return result
    },
  }
}
