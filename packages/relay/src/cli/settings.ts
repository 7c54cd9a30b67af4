/**
 * Every setting, once: as a flag, an environment variable and a name in the settings file, which mean the same. A flag counts before the
 * environment, the environment before the file. `SEGUE_RELAY_KEY` and, for every other variable too, the same with `_FILE` names a
 * file that holds the value, as containers hand over secrets.
 */
import { readFileSync } from 'node:fs'
import { MIB, RETENTIONS, type Retention } from '@segue/core/sealed'
import { CIRCUIT_BYTES_PER_SECOND, MAX_CIRCUITS } from '@segue/net/limits'
import { LOG_LEVELS, type LogLevel } from '../ops/log.ts'
import { isSeed } from '../identity-file.ts'

export interface Settings {
  readonly data: string
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly ops: { readonly host: string; readonly port: number } | undefined
  readonly key: string | undefined
  readonly quotaBytes: number
  readonly quotaChunks: number
  readonly quotaMailboxes: number
  readonly quotaBytesPerMinute: number
  readonly idleMailboxDays: number
  readonly retention: Retention
  readonly acknowledgedDays: number
  readonly maxConnections: number
  readonly circuitBytesPerSecond: number
  readonly circuitsPerDevice: number
  readonly logLevel: LogLevel
  readonly logIds: boolean
}

export interface Setting<Name extends keyof Settings = keyof Settings> {
  readonly name: Name
  /** As in `--quota-bytes`; the variable is SEGUE_RELAY_QUOTA_BYTES, the name in the file quotaBytes. */
  readonly flag: string
  readonly value: string | undefined
  readonly help: string
  readonly parse: (text: string) => Settings[Name]
  readonly default: string
}

/** Throws SettingError with what is wrong and where it came from. */
export function readSettings(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Settings {
  const configPath = textOf(flags['config']) ?? environment[`${PREFIX}CONFIG`]
  const file = configPath === undefined ? {} : readConfig(configPath)
  for (const name of Object.keys(file)) {
    if (!SETTINGS.some(setting => setting.name === name)) throw new SettingError(`${configPath}: ${name} is no setting`)
  }
  const values = SETTINGS.map(setting => {
    const [source, text] = findValue(setting, flags, environment, file)
    try {
      return [setting.name, setting.parse(text)] as const
    } catch (error) {
      throw new SettingError(`${source}: ${error instanceof Error ? error.message : 'not understood'}`)
    }
  })
  return Object.fromEntries(values) as unknown as Settings
}

export class SettingError extends Error {}

export function variableOf(setting: Setting): string {
  return PREFIX + setting.flag.toUpperCase().replaceAll('-', '_')
}

export const SETTINGS: readonly Setting[] = [
  text('data', 'data', 'DIRECTORY', "the relay's own folder", './segue-relay-data'),
  list('listen', 'listen', 'where devices connect, as multiaddrs', '/ip4/0.0.0.0/tcp/4820/ws'),
  list('announce', 'announce', 'how devices reach it when a proxy or router is in front, as multiaddrs', ''),
  {
    name: 'ops',
    flag: 'ops',
    value: 'HOST:PORT',
    help: 'where /healthz, /readyz and /metrics are, or off',
    default: '127.0.0.1:9464',
    parse: parseHostPort,
  },
  {
    name: 'key',
    flag: 'key',
    value: 'HEX',
    help: "the relay's key, instead of the file relay.key in its folder",
    default: '',
    parse: parseKey,
  },
  number('quotaBytes', 'quota-bytes', 'of new invites: sealed bytes of an account', 5 * 1_024 * MIB),
  number('quotaChunks', 'quota-chunks', 'of new invites: chunks of an account', 2_000_000),
  number('quotaMailboxes', 'quota-mailboxes', 'of new invites: mailboxes of an account', 4),
  number('quotaBytesPerMinute', 'quota-bytes-per-minute', 'of new invites: more in a minute is slowed down', 256 * MIB),
  number('idleMailboxDays', 'idle-mailbox-days', 'removes a mailbox no device came to for so long; 0: never', 0),
  choice('retention', 'retention', RETENTIONS, 'of new invites: a full sealed copy, or only until every device has it', 'keep'),
  number('acknowledgedDays', 'acknowledged-days', 'how long after every device has something it is still kept, with until-acknowledged', 7),
  number('maxConnections', 'max-connections', 'at one time', 4_096),
  number(
    'circuitBytesPerSecond',
    'circuit-bytes-per-second',
    'of all circuits that one device asked for, both ways',
    CIRCUIT_BYTES_PER_SECOND,
  ),
  number('circuitsPerDevice', 'circuits-per-device', 'circuits that one device may have at a time', MAX_CIRCUITS),
  choice('logLevel', 'log-level', LOG_LEVELS, 'how much is logged', 'info'),
  {
    name: 'logIds',
    flag: 'log-ids',
    value: undefined,
    help: 'logs ids of devices and mailboxes, too',
    default: 'false',
    parse: value => oneOf(['true', 'false'], value) === 'true',
  },
]

const PREFIX = 'SEGUE_RELAY_'

function findValue(
  setting: Setting,
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
  file: Readonly<Record<string, unknown>>,
): readonly [source: string, text: string] {
  const flag = textOf(flags[setting.name])
  if (flag !== undefined) return [`--${setting.flag}`, flag]
  const variable = variableOf(setting)
  const inVariable = environment[variable]
  if (inVariable !== undefined) return [variable, inVariable]
  const path = environment[`${variable}_FILE`]
  if (path !== undefined) return [`${variable}_FILE`, readText(path).trim()]
  const inFile = textOf(file[setting.name])
  return inFile === undefined ? [setting.flag, setting.default] : [`${setting.name} in the settings file`, inFile]
}

function readConfig(path: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(readText(path))
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>
  } catch (error) {
    if (error instanceof SettingError) throw error
  }
  throw new SettingError(`${path} is not a JSON object`)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new SettingError(`${path} cannot be read`, { cause: error })
  }
}

function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return Array.isArray(value)
    ? value.join(',')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : `${value as string | number | boolean}`
}

function text(name: 'data', flag: string, value: string, help: string, fallback: string): Setting {
  const parse = (given: string): string => {
    if (given === '') throw new Error('is empty')
    return given
  }
  return { name, flag, value, help, default: fallback, parse }
}

function list(name: 'listen' | 'announce', flag: string, help: string, fallback: string): Setting {
  const parse = (given: string): readonly string[] => {
    const items = given.split(',').flatMap(item => item.trim() || [])
    const wrong = items.find(item => !/^\/[a-z0-9]+\/.+/.test(item))
    if (wrong !== undefined) throw new Error(`${wrong} is no multiaddr, such as /ip4/0.0.0.0/tcp/4820/ws`)
    return items
  }
  return { name, flag, value: 'ADDRESS,...', help, default: fallback, parse }
}

function number(name: keyof Settings, flag: string, help: string, fallback: number): Setting {
  const parse = (given: string): number => {
    const parsed = Number(given)
    if (!/^\d+$/.test(given) || !Number.isSafeInteger(parsed)) throw new Error(`${given} is not a whole number`)
    return parsed
  }
  return { name, flag, value: 'N', help, default: String(fallback), parse }
}

function choice(name: keyof Settings, flag: string, choices: readonly string[], help: string, fallback: string): Setting {
  return {
    name,
    flag,
    value: choices.join('|'),
    help,
    default: fallback,
    parse: given => oneOf(choices, given) as Settings[keyof Settings],
  }
}

function oneOf<Choice extends string>(choices: readonly Choice[], given: string): Choice {
  const found = choices.find(each => each === given)
  if (found === undefined) throw new Error(`${given} is none of ${choices.join(', ')}`)
  return found
}

function parseHostPort(given: string): Settings['ops'] {
  if (given === 'off') return undefined
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(given) ?? []
  if (host === undefined || Number(port) > 65_535) throw new Error(`${given} is no HOST:PORT`)
  return { host, port: Number(port) }
}

/** The value never goes into a message. */
function parseKey(given: string): string | undefined {
  if (given !== '' && !isSeed(given)) throw new Error('a key is 64 hex digits')
  return given === '' ? undefined : given
}
