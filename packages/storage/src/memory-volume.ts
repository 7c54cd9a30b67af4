/** A volume that is gone with the process: for tests and simulations of what is built on volumes. */
import { SegueError } from '@segue/core/sealed'
import type { KeyRange } from './key-layout.ts'
import type { LevelStore, LevelView } from './level/level-store.ts'

export interface MemoryVolume extends LevelStore {
  /** Ends it as a crash does and gives what was durable. */
  crash(): MemoryVolume
  /** Every commit rejects until the returned function is called. */
  failWrites(): () => void
}

export function createMemoryVolume(content: ReadonlyMap<string, Uint8Array> = new Map()): MemoryVolume {
  const values = new Map(content)
  const names = [...values.keys()].sort()
  let failures = 0
  let isClosed = false
  let turn: Promise<void> = Promise.resolve()

  const set = (name: string, value: Uint8Array | undefined): void => {
    const at = placeOf(names, name)
    const isThere = names[at] === name
    if (value === undefined) {
      if (isThere) names.splice(at, 1)
      values.delete(name)
    } else {
      if (!isThere) names.splice(at, 0, name)
      values.set(name, Uint8Array.from(value))
    }
  }
  const within = ({ gte, lt }: KeyRange): readonly string[] => names.slice(placeOf(names, nameOf(gte)), placeOf(names, nameOf(lt)))
  const view: LevelView = {
    get: async key => copy(values.get(nameOf(key))),
    getMany: async keys => keys.map(key => copy(values.get(nameOf(key)))),
    entries: async (range, limit = -1) =>
      within(range)
        .slice(0, limit < 0 ? undefined : limit)
        .map(name => [keyOf(name), Uint8Array.from(values.get(name) as Uint8Array)] as const),
    keys: async (range, limit) => within(range).slice(0, limit).map(keyOf),
    async lastKey(range) {
      const last = within(range).at(-1)
      return last === undefined ? undefined : keyOf(last)
    },
  }

  return {
    commit(prepare) {
      if (isClosed) return Promise.reject(new SegueError('CLOSED'))
      const done = turn.then(() => {
        if (failures > 0 || isClosed) throw new SegueError(isClosed ? 'CLOSED' : 'STORE_FAILED')
        const own = new Map<string, Uint8Array | undefined>()
        prepare({
          get: key => (own.has(nameOf(key)) ? own.get(nameOf(key)) : values.get(nameOf(key))),
          put: (key, value) => own.set(nameOf(key), value),
          remove: key => own.set(nameOf(key), undefined),
        })
        for (const [name, value] of own) set(name, value)
      })
      turn = done.catch(() => undefined) // told to whoever asked
      return done
    },
    async read(task) {
      if (isClosed) throw new SegueError('CLOSED')
      return task(view)
    },
    async value(key) {
      if (isClosed) throw new SegueError('CLOSED')
      return view.get(key)
    },
    async values(keys) {
      if (isClosed) throw new SegueError('CLOSED')
      return view.getMany(keys)
    },
    async close() {
      await turn
      isClosed = true
    },
    crash() {
      isClosed = true
      return createMemoryVolume(values)
    },
    failWrites() {
      failures++
      return () => void failures--
    },
  }
}

/** Where `name` is, or would be. Strings of latin1 compare as their bytes do. */
function placeOf(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((names[middle] as string) < name) low = middle + 1
    else high = middle
  }
  return low
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

function keyOf(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(name, 'latin1'))
}

function copy(value: Uint8Array | undefined): Uint8Array | undefined {
  return value && Uint8Array.from(value)
}
