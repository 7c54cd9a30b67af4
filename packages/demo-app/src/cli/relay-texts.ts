/** What a person is told of a relay that holds or shows less than it confirmed, or that serves the group no more or has no room for it. */
import type { SegueStatus } from '@segue/engine'
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

export type RelayCounts = SegueStatus['relays']

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

/** What keeps the group's work from it until a person does something, and what that is. */
export function problemText({ id, problem }: { readonly id: string; readonly problem?: string }): string | undefined {
  const known = FOR_A_PERSON.find(code => code === problem)
  return known === undefined ? undefined : `${shortId(id)}: ${new SegueError(known).message}`
}

/** In the line of `segue status`. */
export function relaysText({ total, linked, behind, lost, revoked, full }: RelayCounts): string {
  const state = `${linked} of ${total} linked`
  if (revoked > 0)
    return `${state}; ${revoked} no longer ${revoked === 1 ? 'serves' : 'serve'} your group: segue relay list says what to do`
  if (lost > 0) return `${state}; ${lost} to be added again: segue relay list says why`
  if (full > 0) return `${state}; ${full} full: segue relay list says what to do`
  return behind === 0 ? state : `${state}; ${behind} behind: segue relay list says with what`
}

const FOR_A_PERSON = ['RELAY_KEY_LOST', 'RELAY_REVOKED', 'RELAY_QUOTA'] as const
