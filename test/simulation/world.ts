/**
 * A world of a few devices on virtual time: links that come up, die and partition; devices that crash and start again from what
 * was durable. Layers (what the devices do, and what must hold of it) are added on top, so the group log and documents can join
 * without this file knowing them. Everything follows from the seed.
 */
import {
  createReplicaCast,
  createSeededRandom,
  createSimulatedClock,
  type CastMember,
  type ReplicaCast,
  type SeededRandom,
  type SimulatedClock,
  type SimulatedLink,
} from '@segue/core/testing'
import { nativeHasher } from '@segue/engine/testing'

export interface World {
  readonly clock: SimulatedClock
  readonly random: SeededRandom
  readonly cast: ReplicaCast
  readonly devices: readonly CastMember[]
  /** Frames handed over so far. */
  frames(): number
}

/** One concern of the simulation: something the devices do, and what must be true of it. */
export interface Layer {
  /** One random action. */
  act(world: World): Promise<void> | void
  /** Crash of `device`: forget what only its memory held. */
  onRestart?(world: World, device: CastMember): Promise<void> | void
  /** After healing and quiet; throws when something that must hold does not. */
  check(world: World): Promise<void> | void
}

export interface RunOptions {
  readonly seed: number
  readonly steps?: number
  readonly layers: (random: SeededRandom) => readonly Layer[]
}

/** Virtual time within which healed devices must agree (I1). */
export const HEAL_MS = 40_000

export async function runWorld({ seed, steps = 60, layers: makeLayers }: RunOptions): Promise<void> {
  const random = createSeededRandom(seed)
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createReplicaCast(clock, { seed, hasher: nativeHasher })
  const names = ['laptop', 'desk', 'phone', 'tablet', 'attic'].slice(0, 3 + random.below(3))
  const devices: CastMember[] = []
  for (const name of names) devices.push(await cast.join(name))
  let frames = 0
  const world: World = { clock, random, cast, devices, frames: () => frames }
  const layers = makeLayers(random.fork(1))
  const links = new Map<string, SimulatedLink>()
  let sideOf = new Map<CastMember, number>()

  const isApart = (a: CastMember, b: CastMember): boolean => sideOf.get(a) !== sideOf.get(b)
  const eachPair = (visit: (a: CastMember, b: CastMember, key: string) => void): void => {
    for (const [i, a] of devices.entries()) for (const b of devices.slice(i + 1)) visit(a, b, `${a.id}-${b.id}`)
  }
  const connect = (probability: number): void =>
    eachPair((a, b, key) => {
      if (isApart(a, b) || links.get(key)?.isOpen() || !random.chance(probability)) return
      const [dialler, other] = random.chance(0.5) ? [a, b] : [b, a]
      links.set(key, cast.link(dialler, other, { latencyMs: () => 1 + random.below(60), onFrame: () => void frames++ }))
    })
  const faults: readonly (() => Promise<void> | void)[] = [
    () => connect(0.7),
    () => [...links.values()].filter(link => link.isOpen() && random.chance(0.3)).forEach(link => link.cut()),
    () => {
      sideOf = new Map(devices.map(device => [device, random.below(2)]))
      eachPair((a, b, key) => isApart(a, b) && links.get(key)?.cut())
    },
    () => void (sideOf = new Map()),
    async () => {
      const device = random.pick(devices)
      await cast.restart(device)
      for (const layer of layers) await layer.onRestart?.(world, device)
    },
    async () => {
      const { store } = random.pick(devices)
      store.failWrites(new Error('ENOSPC'))
      await clock.advance(random.below(2_000))
      store.failWrites(undefined)
    },
  ]

  for (let step = 0; step < steps; step++) {
    if (random.chance(0.3)) await random.pick(faults)()
    else await random.pick(layers).act(world)
    await clock.advance(random.below(random.chance(0.1) ? 5_000 : 100))
  }
  sideOf = new Map()
  connect(1)
  await clock.advance(HEAL_MS)
  for (const layer of layers) await layer.check(world)
  for (const device of devices) await device.replica.close()
}
