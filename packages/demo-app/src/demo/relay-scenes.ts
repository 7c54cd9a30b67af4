/** With a relay: a handoff to a device that sleeps, and one from a device that sleeps. At no time are both awake. */
import { isSegueError } from '@segue/engine/client'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DaemonClient } from '../client/daemon-client.ts'
import type { DemoDevice } from './device.ts'
import type { DemoRelay } from './relay.ts'
import type { DemoReport } from './report.ts'
import { sha256Of } from './scenes.ts'

type RelayReport = NonNullable<DemoReport['relay']>

/** The relay is the group's as soon as one device used the invite; the other hears of it from the first. */
export async function useRelay(laptop: DemoDevice, desk: DemoDevice, relay: DemoRelay): Promise<void> {
  await laptop.client().call('relay.add', { invite: relay.invite })
  await Promise.all([laptop, desk].map(device => device.client().call('relay.in-sync')))
}

interface Outcome {
  readonly kind: string
  readonly ageMs?: number
}

/** `from` drives the session, `to` sleeps. Afterwards `from` is awake again, `to` sleeps, and has the session. */
export async function handOverToSleeper(
  from: DemoDevice,
  to: DemoDevice,
  session: string,
  say: (line: string) => void,
): Promise<Pick<RelayReport, 'toSleeper' | 'isSameText'>> {
  await to.stop()
  const before = await sha256Of(from.client(), session)
  const { id, outcome } = await from.client().call<{ id: string; outcome: Outcome }>('handoff.to', { session, device: to.name })
  say(`  ${from.name}: ${outcome.kind}`)
  await from.client().call('handoff.on-relay', { id })
  say(`  ${from.name}: on the relay; now it sleeps as well`)
  await from.stop()

  await to.start()
  const there = await follow(to.client(), id)
  const after = await sha256Of(to.client(), session)
  say(`  ${to.name} woke: ${there.kind}, and sleeps again`)
  await to.client().call('relay.in-sync')
  await to.stop()

  await from.start()
  const here = await follow(from.client(), id)
  say(`  ${from.name} woke: ${here.kind}; the two never met`)
  return { toSleeper: here.kind === there.kind ? here.kind : `${here.kind} and ${there.kind}`, isSameText: before === after }
}

/** `from` sleeps and drives the session. */
export async function takeFromSleeper(
  from: DemoDevice,
  to: DemoDevice,
  session: string,
): Promise<Pick<RelayReport, 'fromSleeper' | 'ageMs' | 'path'>> {
  await to.client().call('relay.in-sync')
  const { devices } = await to.client().call<{ devices: readonly { readonly name: string; readonly path?: string }[] }>('devices')
  const { outcome } = await to.client().call<{ outcome: Outcome }>('handoff.take', { session })
  return { fromSleeper: outcome.kind, ageMs: outcome.ageMs ?? -1, path: devices.find(({ name }) => name === from.name)?.path ?? 'none' }
}

/** An offer that waits on a relay is known a moment after the device woke: it is given ten seconds. */
async function follow(client: DaemonClient, id: string): Promise<Outcome> {
  for (let tries = 0; ; tries++) {
    try {
      return (await client.call<{ outcome: Outcome }>('handoff.follow', { id })).outcome
    } catch (error) {
      if (!isSegueError(error, 'HANDOFF_UNKNOWN') || tries === 100) throw error
      await sleep(100)
    }
  }
}
