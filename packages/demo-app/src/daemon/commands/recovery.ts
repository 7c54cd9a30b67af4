/** Backups, and the recovery phrase they are sealed to. Restoring needs no daemon: there is no store yet. */
import path from 'node:path'
import * as v from 'valibot'
import { WrongRequest, defineCommand, type DaemonCommand } from '../command.ts'
import { confirmation } from './lock.ts'

const publicKey = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/),
  v.transform(hex => new Uint8Array(Buffer.from(hex, 'hex'))),
)

export const RECOVERY_COMMANDS: readonly DaemonCommand[] = [
  /** Emits progress. */
  defineCommand('backup.write', v.strictObject({ file: v.string() }), async ({ segue, emit, signal }, { file }) => {
    if (!path.isAbsolute(file)) throw new WrongRequest('file: an absolute path, for the daemon has a folder of its own')
    let said = 0
    const onProgress = ({ chunks, of }: { readonly chunks: number; readonly of: number }): void => {
      if (chunks - said < PROGRESS_CHUNKS) return
      said = chunks
      emit({ chunks, of })
    }
    return { file, ...(await segue.backup.write(file, { signal, onProgress })) }
  }),

  defineCommand('recovery.show', v.strictObject({}), async ({ segue }) => {
    const { phrase } = segue.recovery
    const devices = segue.devices.peek()
    return {
      /** Where the words find a copy: to be written down beside them. */
      relays: segue.relays.list.peek().flatMap(({ id, addresses: [first] }) => (first === undefined ? [] : [withId(first, id)])),
      isAdmin: devices.some(device => device.isThisDevice && device.role === 'admin'),
      ...(phrase === undefined ? {} : { phrase: { ...phrase, byName: devices.find(device => device.id === phrase.by)?.name } }),
    }
  }),

  /** The public halves only; the words are made, shown and forgotten by whoever asks. `oldWords`: where this device is no admin. */
  defineCommand(
    'recovery.set',
    v.strictObject({ signing: publicKey, sealing: publicKey, oldWords: v.optional(v.string()), confirmation }),
    async ({ segue }, { signing, sealing, oldWords, confirmation: given }) => {
      await segue.recovery.set({ signing, sealing }, { oldWords, confirmation: given })
      return {}
    },
  ),
]

const PROGRESS_CHUNKS = 500

function withId(address: string, id: string): string {
  return address.endsWith(`/p2p/${id}`) ? address : `${address}/p2p/${id}`
}
