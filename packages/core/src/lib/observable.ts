/**
 * State that can be looked at (`peek`), followed (`subscribe`) and waited for (`when`): the one shape of everything in
 * Segue that changes over time. It is what React's useSyncExternalStore takes, so no adapter is needed.
 */
export interface Observable<Value> {
  /** The value now. The same object until it changes. */
  readonly peek: () => Value
  /** Calls `listener` after every change, never with the present value. Returns the unsubscribe function. */
  readonly subscribe: (listener: (value: Value) => void) => () => void
  /** The first value, the present one included, for which `holds`. Rejects with the signal's reason. */
  readonly when: (holds: (value: Value) => boolean, options?: { readonly signal?: AbortSignal }) => Promise<Value>
}

export interface Subject<Value> extends Observable<Value> {
  readonly set: (value: Value) => void
}

/** A listener that throws is reported to `onListenerError` and hurts neither the writer nor other listeners. */
export function createSubject<Value>(initial: Value, onListenerError?: (error: unknown) => void): Subject<Value> {
  let current = initial
  const listeners = new Set<(value: Value) => void>()
  const subscribe = (listener: (value: Value) => void): (() => void) => {
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }
  return {
    peek: () => current,
    subscribe,
    set(value) {
      if (Object.is(value, current)) return
      current = value
      for (const listener of [...listeners]) {
        try {
          listener(value)
        } catch (error) {
          onListenerError?.(error)
        }
      }
    },
    when(holds, { signal } = {}) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        if (holds(current)) return resolve(current)
        const stop = (): void => {
          unsubscribe()
          signal?.removeEventListener('abort', onAbort)
        }
        const onAbort = (): void => {
          stop()
          reject(signal?.reason)
        }
        const unsubscribe = subscribe(value => {
          if (!holds(value)) return
          stop()
          resolve(value)
        })
        signal?.addEventListener('abort', onAbort, { once: true })
      })
    },
  }
}
