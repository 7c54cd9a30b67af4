/** The contract of the record store port, for every implementation. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { isSegueError } from '../lib/errors.ts'
import type { RecordStore } from '../ports/record-store.ts'

export interface RecordStoreUnderTest {
  readonly store: RecordStore
  /** Ends the store as a crash does and opens what is there then. */
  reopen(): Promise<RecordStore>
  tearDown(): Promise<void>
}

export function describeRecordStore(name: string, setup: () => Promise<RecordStoreUnderTest>): void {
  const start = async (): Promise<RecordStoreUnderTest> => {
    const started = await setup()
    onTestFinished(() => started.tearDown())
    return started
  }

  describe(`record store contract: ${name}`, () => {
    test('what was never written is absent', async () => {
      const { store } = await start()
      expect(await store.get('settings')).toBeUndefined()
      expect(await keysOf(store, '')).toEqual([])
    })

    test('gives back what was written, as a plain Uint8Array, after a crash too', async () => {
      const { store, reopen } = await start()
      await store.write(
        new Map([
          ['settings', bytes(1)],
          ['empty', new Uint8Array()],
        ]),
      )
      expect(await store.get('settings')).toEqual(bytes(1))
      const again = await reopen()
      expect((await again.get('settings'))?.constructor).toBe(Uint8Array)
      expect(await again.get('settings')).toEqual(bytes(1))
      expect(await again.get('empty')).toEqual(new Uint8Array())
    })

    test('replaces and deletes in one write', async () => {
      const { store, reopen } = await start()
      await store.write(
        new Map([
          ['a', bytes(1)],
          ['b', bytes(2)],
        ]),
      )
      await store.write(
        new Map([
          ['a', undefined],
          ['b', bytes(3)],
          ['never', undefined],
        ]),
      )
      expect(await store.get('a')).toBeUndefined()
      expect(await store.get('b')).toEqual(bytes(3))
      expect(await keysOf(await reopen(), '')).toEqual(['b'])
    })

    test('lists by prefix, sorted, with values', async () => {
      const { store } = await start()
      const keys = ['handoff/2', 'handoffs/1', 'address', 'handoff/10', 'handoff/1', 'handoff']
      await store.write(new Map(keys.map((key, i) => [key, bytes(i)])))
      expect(await keysOf(store, 'handoff/')).toEqual(['handoff/1', 'handoff/10', 'handoff/2'])
      expect(await keysOf(store, 'handoff')).toEqual(['handoff', 'handoff/1', 'handoff/10', 'handoff/2', 'handoffs/1'])
      for await (const [key, value] of store.list('')) expect(value).toEqual(bytes(keys.indexOf(key)))
    })

    test('a list made after a write has it, one made before not', async () => {
      const { store } = await start()
      await store.write(new Map([['a', bytes(1)]]))
      expect(await keysOf(store, '')).toEqual(['a'])
      await store.write(
        new Map([
          ['b', bytes(2)],
          ['a', undefined],
        ]),
      )
      expect(await keysOf(store, '')).toEqual(['b'])
    })

    test('bytes are copied in and out', async () => {
      const { store } = await start()
      const given = bytes(1)
      const written = store.write(new Map([['a', given]]))
      given.fill(0)
      await written
      ;(await store.get('a'))?.fill(0)
      expect(await store.get('a')).toEqual(bytes(1))
    })

    test('a closed store says so, and closing again does nothing', async () => {
      const { store } = await start()
      await store.close()
      await store.close()
      await expect(store.get('a')).rejects.toSatisfy(error => isSegueError(error, 'CLOSED'))
      await expect(store.write(new Map([['a', bytes(1)]]))).rejects.toSatisfy(error => isSegueError(error, 'CLOSED'))
    })
  })
}

function bytes(n: number): Uint8Array {
  return new Uint8Array([n, n + 1, n + 2])
}

async function keysOf(store: RecordStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.list(prefix)) keys.push(key)
  return keys
}
