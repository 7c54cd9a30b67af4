/** Which devices a person names when asked which they still have. */
import type { DeviceId, GroupDevice } from '@segue/engine'
import { UsageError } from '../client/daemon-client.ts'

type Named = Pick<GroupDevice, 'id' | 'name'>

/** Throws UsageError for a name that is nobody's, or more than one device's. */
export function keptAmong(devices: readonly Named[], names: readonly string[]): readonly DeviceId[] {
  return names
    .map(name => name.trim())
    .filter(Boolean)
    .map(name => deviceNamed(devices, name))
}

function deviceNamed(devices: readonly Named[], wanted: string): DeviceId {
  const end = wanted.replace(/^…/, '')
  const exact = devices.filter(({ id, name }) => name === wanted || id === wanted)
  const found =
    exact.length > 0
      ? exact
      : devices.filter(({ id, name }) => name.toLowerCase() === wanted.toLowerCase() || (end.length >= SHOWN_ID_LENGTH && id.endsWith(end)))
  if (found[0] === undefined) throw new UsageError(`No device is called “${wanted}”. Nothing was changed.`)
  if (found.length > 1) throw new UsageError(`${found.length} devices are called “${wanted}”. Say the end of the id. Nothing was changed.`)
  return found[0].id
}

/** Less of the end of an id may be anybody's. */
const SHOWN_ID_LENGTH = 8
