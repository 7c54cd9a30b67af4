/** What a person is told of a relay that holds or shows less than it confirmed, or whose mailbox the group lost. */
import { SegueError } from '@segue/engine/client'
import { ago, shortId } from './output.ts'

export interface Behind {
  readonly kind: 'lost' | 'withholds'
  /** Milliseconds since 1970. */
  readonly since: number
  readonly devices: readonly string[]
}

export interface NamedDevice {
  readonly id: string
  readonly name: string
}

/** What a relay that holds or shows less than it confirmed is behind with, and what is done about it. */
export function behindText(
  { id, behind, unconfirmed }: { readonly id: string; readonly behind?: Behind; readonly unconfirmed: number },
  devices: readonly NamedDevice[],
  now: number,
): string | undefined {
  if (behind === undefined) return undefined
  const names = behind.devices.map(device => devices.find(each => each.id === device)?.name ?? shortId(device)).join(', ')
  const noticed = `noticed ${ago(now - behind.since)}`
  const rest = unconfirmed > 0 ? `${unconfirmed} to go` : 'waiting for it'
  return behind.kind === 'lost'
    ? `${shortId(id)} is behind: it has lost work it had confirmed${names === '' ? '' : `, of ${names}`} (${noticed}); your devices bring it again, ${rest}.`
    : `${shortId(id)} is behind: it does not show what ${names} left with it (${noticed}). Nothing is lost while your devices meet; if it stays so, use another relay.`
}

/** That nobody who stays has the key of the group's mailbox there, and what to do. */
export function lostText({ id, problem }: { readonly id: string; readonly problem?: string }): string | undefined {
  return problem === 'RELAY_KEY_LOST' ? `${shortId(id)}: ${new SegueError('RELAY_KEY_LOST').message}` : undefined
}
