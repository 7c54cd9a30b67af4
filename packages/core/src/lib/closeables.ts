/**
 * One lifecycle for everything that runs: `close()` is idempotent, closes in reverse order of opening, tries everything,
 * and reports all failures as one AggregateError. A factory that fails half-way closes what it had opened and throws.
 */
export interface Closeable extends AsyncDisposable {
  close(): Promise<void>
}

export interface Closeables extends Closeable {
  /** Registers `close` to run before everything registered earlier. */
  add(close: () => unknown): void
  /** Registers a closeable and returns it. */
  use<T extends { close(): unknown }>(resource: T): T
}

export function createCloseables(): Closeables {
  const stack: (() => unknown)[] = []
  let closing: Promise<void> | undefined
  const closeAll = async (): Promise<void> => {
    const failures: unknown[] = []
    for (let close = stack.pop(); close !== undefined; close = stack.pop()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'could not close everything')
  }
  const close = (): Promise<void> => (closing ??= closeAll())
  return {
    add(task) {
      stack.push(task)
    },
    use(resource) {
      stack.push(() => resource.close())
      return resource
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Runs a factory with a fresh stack; when it throws, closes what it had opened, then rethrows. */
export async function openOrCleanUp<T>(open: (opened: Closeables) => Promise<T>): Promise<T> {
  const opened = createCloseables()
  try {
    return await open(opened)
  } catch (error) {
    await opened.close().catch(() => undefined) // the first failure is the one that explains
    throw error
  }
}
