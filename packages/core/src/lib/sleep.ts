/** The waiting half of a clock, made of its timers. */

/** Resolves after `ms` on `after` (as `Clock.after`); rejects with the signal's reason as soon as it aborts, and then leaves no timer behind. */
export function sleepOn(after: (ms: number, task: () => void) => () => void, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
