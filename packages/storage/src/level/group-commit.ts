/**
 * Calls that share a write and its fsync: those made together, and those made while a write is under way. These are prepared meanwhile, on
 * top of what is being written; if that fails, they are prepared anew on what is there then.
 */
import { SegueError } from '@segue/core/sealed'

export interface Transaction {
  /** What is stored, or was put earlier in the same group. */
  get(key: Uint8Array): Uint8Array | undefined
  put(key: Uint8Array, value: Uint8Array): void
  remove(key: Uint8Array): void
}

export interface Write {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

export interface GroupCommit {
  /** `prepare` may be called again, after a write before it failed. */
  commit(prepare: (transaction: Transaction) => void): Promise<void>
  /** Everything asked for so far is written or rejected. */
  idle(): Promise<void>
}

export interface GroupCommitParts {
  /** Milliseconds, from any beginning. */
  now(): number
  read(key: Uint8Array): Uint8Array | undefined
  /** Durable when resolved. */
  write(writes: Iterable<Write>, bytes: number): Promise<void>
  /** After a failed write, before the next. What it throws, all that waits is rejected with. */
  recover(): Promise<void>
}

export function createGroupCommit({ now, read, write, recover }: GroupCommitParts): GroupCommit {
  const queue: Task[] = []
  /** On its way to disk, and what is written next. */
  let flight: Group | undefined
  let next: Group = emptyGroup()
  let [isDue, hasFailed, isRecovering] = [false, false, false]
  const onIdle: (() => void)[] = []
  /** How long the last write took, and when it ended. */
  let [writeMs, endedAt] = [0, -Infinity]

  /** A little later, so that calls made together are written together. */
  const schedule = (): void => {
    isDue = true
    queueMicrotask(turn)
  }
  const turn = (): void => {
    isDue = false
    if (isRecovering) return
    if (hasFailed) return void mend()
    fill(flight === undefined && next.tasks.length === 0 ? portion() : queue.length)
    if (flight === undefined && next.tasks.length > 0) {
      launch()
      if (queue.length > 0) schedule()
    }
    if (flight === undefined) for (const resolve of onIdle.splice(0)) resolve()
  }
  /**
   * Many callers that wait for the same write ask again at the same time, and the disk stands still meanwhile. When that is longer than a
   * write takes, half of them go first: the others are prepared while these are written, and from then on one half works while the
   * other is on its way. Where the disk is the slower one, all share its one write.
   */
  const portion = (): number => {
    const stoodMs = now() - endedAt
    return queue.length >= MANY && stoodMs > writeMs && stoodMs < LONG_MS ? queue.length >> 1 : queue.length
  }
  const fill = (most: number): void => {
    let count = 0
    while (count < most && next.bytes < GROUP_BYTES) {
      add(next, queue[count++] as Task, (name, key) => {
        const written = flight?.writes.get(name)
        return written === undefined ? read(key) : written.value
      })
    }
    queue.splice(0, count)
  }
  const launch = (): void => {
    const group = next
    flight = group
    next = emptyGroup()
    const began = now()
    const written = group.writes.size === 0 ? Promise.resolve() : write(group.writes.values(), group.bytes)
    written.then(
      () => {
        endedAt = now()
        writeMs = endedAt - began
        flight = undefined
        turn() // first of all the disk goes on
        for (const { task, refusal } of group.tasks) {
          if (refusal === undefined) task.resolve()
          else task.reject(refusal.reason)
        }
      },
      (error: unknown) => {
        flight = undefined
        hasFailed = true
        queue.unshift(...next.tasks.map(({ task }) => task))
        next = emptyGroup()
        const failure = new SegueError('STORE_FAILED', {}, { cause: error })
        for (const { task, refusal } of group.tasks) task.reject(refusal === undefined ? failure : refusal.reason)
        if (queue.length > 0) turn()
        else for (const resolve of onIdle.splice(0)) resolve()
      },
    )
  }
  const mend = async (): Promise<void> => {
    isRecovering = true
    try {
      await recover()
      hasFailed = false
    } catch (error) {
      for (const task of queue.splice(0)) task.reject(error)
    }
    isRecovering = false
    if (queue.length > 0 && !hasFailed) turn()
    else for (const resolve of onIdle.splice(0)) resolve()
  }

  return {
    commit: prepare =>
      new Promise((resolve, reject) => {
        queue.push({ prepare, resolve, reject })
        if (!isDue) schedule()
      }),
    idle: () =>
      flight === undefined && queue.length === 0 && !isRecovering ? Promise.resolve() : new Promise(resolve => onIdle.push(resolve)),
  }
}

interface Task {
  readonly prepare: (transaction: Transaction) => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface Group {
  readonly tasks: { readonly task: Task; readonly refusal: { readonly reason: unknown } | undefined }[]
  readonly writes: Map<string, Write>
  readonly seen: Map<string, Uint8Array | undefined>
  bytes: number
}

const MANY = 8
/** Whoever asks after that is not somebody who waited. */
const LONG_MS = 100
/** Bounds the memory of one group; a single task may be larger. */
const GROUP_BYTES = 16 * 1_024 * 1_024

function emptyGroup(): Group {
  return { tasks: [], writes: new Map(), seen: new Map(), bytes: 0 }
}

/** A task that throws is refused and leaves nothing in the group. */
function add(group: Group, task: Task, stored: (name: string, key: Uint8Array) => Uint8Array | undefined): void {
  const { writes, seen } = group
  const names: string[] = []
  const before: (Write | undefined)[] = []
  const put = (key: Uint8Array, value: Uint8Array | undefined): void => {
    const name = nameOf(key)
    names.push(name)
    before.push(writes.get(name))
    writes.set(name, { key, value })
    group.bytes += key.length + (value?.length ?? 0)
  }
  try {
    task.prepare({
      get(key) {
        const name = nameOf(key)
        const write = writes.get(name)
        if (write !== undefined) return write.value
        if (seen.has(name)) return seen.get(name)
        const value = stored(name, key)
        seen.set(name, value)
        return value
      },
      put,
      remove: key => put(key, undefined),
    })
    group.tasks.push({ task, refusal: undefined })
  } catch (error) {
    for (let i = names.length - 1; i >= 0; i--) {
      const [name, write] = [names[i] as string, before[i]]
      if (write === undefined) writes.delete(name)
      else writes.set(name, write)
    }
    group.tasks.push({ task, refusal: { reason: error } })
  }
}

function nameOf(key: Uint8Array): string {
  return latin1Slice.call(key, 0, key.length)
}

/** Of any Uint8Array: a Buffer made just to be asked costs more than the answer. */
const { latin1Slice } = Buffer.prototype as unknown as { latin1Slice(this: Uint8Array, start: number, end: number): string }
