/** The settings a person may edit: config.json. Unknown members are kept; a wrong one is named, never guessed around. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import * as v from 'valibot'

export type KeyKeeping = 'keychain' | 'passphrase' | 'keychain+passphrase' | 'key-file'
export const KEY_KEEPINGS: readonly KeyKeeping[] = ['keychain', 'passphrase', 'keychain+passphrase', 'key-file']

export function isKeyKeeping(given: string): given is KeyKeeping {
  return (KEY_KEEPINGS as readonly string[]).includes(given)
}

export interface Config {
  /** What other devices call this one. Default: the machine's name. */
  readonly deviceName: string
  /** How the keys of a new device are kept; undefined until `segue up` ran once. How they are kept now, the store says. */
  readonly keys?: KeyKeeping | undefined
  /** Multiaddrs to listen on. Undefined: every private interface. */
  readonly listen?: readonly string[] | undefined
  /** Find devices on the local network. Default on. */
  readonly mdns: boolean
  /** What becomes of what is here when this device is removed from its group. Default: keep. */
  readonly onRemoved?: 'keep' | 'erase' | undefined
  /** Lock after so many minutes without a command; undefined or 0: never. */
  readonly autoLockMinutes?: number | undefined
}

export async function readConfig(file: string): Promise<Config> {
  const raw = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '{}'
    throw error
  })
  let value: unknown
  try {
    value = JSON.parse(raw)
  } catch (error) {
    throw new Error(`${file} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  const parsed = v.safeParse(CONFIG, value)
  if (!parsed.success) {
    throw new Error(`${file}: ${parsed.issues.map(issue => `${v.getDotPath(issue) ?? 'it'}: ${issue.message}`).join('; ')}`)
  }
  return parsed.output
}

/** Writes the whole file, atomically. */
export async function writeConfig(file: string, config: Config): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const temporary = `${file}.new`
  await writeFile(temporary, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 })
  await rename(temporary, file)
}

const CONFIG = v.looseObject({
  deviceName: v.optional(v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(64)), hostname().slice(0, 64) || 'device'),
  keys: v.optional(v.picklist(KEY_KEEPINGS)),
  listen: v.optional(v.array(v.string())),
  mdns: v.optional(v.boolean(), true),
  onRemoved: v.optional(v.picklist(['keep', 'erase'])),
  autoLockMinutes: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(10_080))),
})
