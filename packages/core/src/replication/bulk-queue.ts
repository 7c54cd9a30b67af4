/** What one peer asks of the bulk channel, answered in turn. More than an honest replica ever has waiting is too much to keep. */
import { MAX_QUEUED_BYTES, MAX_QUEUED_TASKS } from './pace.ts'
import { ENDLESS_ROOM, type Room } from './room.ts'

/** `bytes`: what of the request is kept until its turn comes. */
export type BulkQueue = (task: () => Promise<void>, bytes?: number) => void

export function createBulkQueue(parts: {
  /** Asked before each task: afterwards they are passed over. */
  readonly isOpen: () => boolean
  readonly onFailure: (error: unknown) => void
  readonly onTooMuch: () => void
  readonly room?: Room
}): BulkQueue {
  const { room = ENDLESS_ROOM } = parts
  let last: Promise<void> = Promise.resolve()
  let tasks = 0
  let waitingBytes = 0
  return (task, bytes = 0) => {
    if (tasks >= MAX_QUEUED_TASKS || waitingBytes + bytes > MAX_QUEUED_BYTES || !room.take(bytes)) return parts.onTooMuch()
    tasks++
    waitingBytes += bytes
    last = last
      .then(() => (parts.isOpen() ? task() : undefined))
      .catch(parts.onFailure)
      .finally(() => {
        tasks--
        waitingBytes -= bytes
        room.give(bytes)
      })
  }
}
