/**
 * Time. Core has no other: `Date`, `setTimeout` and `performance` are banned by lint, so that the simulation owns time.
 */
export interface Clock {
  /** Milliseconds since 1970, as this machine believes. Information for people; nothing is decided by comparing two devices' clocks. */
  now(): number
  /** Milliseconds on a clock that never goes back. Deadlines and ages use this one. */
  monotonic(): number
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Runs `task` once after `ms` unless cancelled. Does not keep a process alive. Returns cancel, which is idempotent. */
  after(ms: number, task: () => void): () => void
}
