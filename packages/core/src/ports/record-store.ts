/**
 * This device's own small records (known addresses, queued handoffs, settings, incarnation): never sent, sealed at rest under
 * the device key by the implementation, so values are whatever bytes the caller likes.
 *
 * Keys are paths such as `handoff/3f2a...`; `list('handoff/')` needs the slash, `list('handoff')` would also match `handoffs/`.
 */
export interface RecordStore {
  /** Absent and unreadable (damaged) are both `undefined`; damage is also reported to the factory's `onDamaged`. */
  get(key: string): Promise<Uint8Array | undefined>
  /** Atomic and durable when it resolves. `undefined` deletes. */
  write(changes: ReadonlyMap<string, Uint8Array | undefined>): Promise<void>
  /** Sorted by key. */
  list(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>
  close(): Promise<void>
}
