/** I2 and I3 with real processes: whatever a device said was saved is there after `kill -9`, on both. */
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { createSubject } from '@segue/core'
import { createSeededRandom } from '@segue/core/testing'
import type { SessionId } from '@segue/engine'
import { expect, test } from 'vitest'
import { freePort, pair, scratch, startDevice } from './cast.ts'
import { startChild, type DeviceChild, type DevicePlace } from './device-child.ts'
import type { SessionShown } from './device-protocol.ts'

const ROUNDS = 30

test(
  `[I2] [I3] ${ROUNDS} rounds of kill -9 of either of two devices that edit lose nothing acknowledged, and both converge`,
  { timeout: 20 * 60_000 },
  async () => {
    const folder = await scratch()
    const places: DevicePlace[] = []
    for (const name of ['laptop', 'desk']) places.push({ name, directory: path.join(folder, name), port: await freePort() })
    const session = await prepare(places)
    const saved = new Map<string, number>()
    const heard = createSubject(0)
    const onSaved = (run: string, number: number): void => {
      saved.set(run, number)
      heard.set(heard.peek() + 1)
    }
    const savedOf = (run: string, count: number): Promise<unknown> => heard.when(() => (saved.get(run) ?? -1) >= count)

    const devices = await Promise.all(places.map(place => startChild(place, onSaved)))
    const edit = async (which: number, run: string): Promise<void> =>
      (devices[which] as DeviceChild).ask({ type: 'start-editing', session, run })
    const runs = ['laptop-0', 'desk-0']
    await Promise.all(runs.map((run, which) => edit(which, run)))
    const random = createSeededRandom(9)
    const kills = [0, 0]
    for (let round = 1; round <= ROUNDS; round++) {
      const victim = (random.bytes(1)[0] ?? 0) % 2
      const survivor = runs[1 - victim] as string
      // At whatever it is doing by then: both have saved something since the last round.
      await Promise.all([
        savedOf(runs[victim] as string, 5 + ((random.bytes(1)[0] ?? 0) % 20)),
        savedOf(survivor, (saved.get(survivor) ?? 0) + 3),
      ])
      await (devices[victim] as DeviceChild).kill()
      kills[victim] = (kills[victim] ?? 0) + 1
      devices[victim] = await startChild(places[victim] as DevicePlace, onSaved)
      runs[victim] = `${places[victim]?.name}-${round}`
      await edit(victim, runs[victim])
    }
    await Promise.all(devices.map(device => device.ask({ type: 'stop-editing' })))
    const [laptop, desk] = devices as [DeviceChild, DeviceChild]
    const shown = (): Promise<readonly (SessionShown | undefined)[]> =>
      Promise.all([laptop, desk].map(device => device.ask({ type: 'show', session })))
    const areEqual = async (): Promise<boolean> => isDeepStrictEqual(...((await shown()).map(one => one?.runs) as [unknown, unknown]))
    await expect.poll(areEqual, { timeout: 60_000, interval: 200 }).toBe(true)

    const [onLaptop, onDesk] = await shown()
    for (const onOne of [onLaptop, onDesk]) {
      const lost = [...saved].flatMap(([run, last]) =>
        Array.from({ length: last + 1 }, (_, number) => number)
          .filter(number => !onOne?.runs[run]?.includes(number))
          .map(number => `${run}: ${number}`),
      )
      expect(lost).toEqual([])
    }
    expect(kills.every(count => count > 5)).toBe(true)
    expect(saved.size).toBe(ROUNDS + 2)
  },
)

/** Paired in this process, with a session to write into; then left to the children. */
async function prepare(places: readonly DevicePlace[]): Promise<SessionId> {
  const [laptop, desk] = await Promise.all(
    places.map(({ name, directory, port }) => startDevice(name, { directory, network: { listen: [`/ip4/127.0.0.1/tcp/${port}`] } })),
  )
  if (laptop === undefined || desk === undefined) throw new Error('two places')
  await pair(laptop, desk)
  const session = await laptop.sessions.create({ title: 'Both write here' })
  await session.documents.create({ title: 'Work', initial: { text: '', runs: {} } })
  await session.flush()
  await desk.sessions.open(session.id)
  await desk.close()
  await laptop.close()
  return session.id
}
