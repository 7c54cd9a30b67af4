/**
 * A relay without sockets, files and real time: its own gate, mailboxes, accounts and engine on whatever volume, clock and randomness a
 * simulation gives it. What relay.ts puts around them (the node, operations, metrics) is left out.
 */
import { DAY_MS, MINUTE_MS, encodeInvite, openOrCleanUp, type Closeable, type DeviceId, type RelayQuotas } from '@segue/core'
import type { Clock, DeviceLinkHost, Logger, PairingLink, Random } from '@segue/core/ports'
import type { Volume } from '@segue/storage/volume'
import { createAdmission } from '../accounts/admission.ts'
import { createControl, hashOfToken } from '../accounts/control.ts'
import type { MailboxEngine } from '../engine/mailbox-engine.ts'
import { createVolumeEngine } from '../engine/volume-engine.ts'
import { createDirectory } from '../mailboxes/directory.ts'
import { createMailboxes, type Mailboxes } from '../mailboxes/mailboxes.ts'
import { retiredBytesIn } from '../mailboxes/retired-bytes.ts'
import { nativeHasher } from '../native-hasher.ts'

export interface RelayInsideOptions {
  readonly id: DeviceId
  /** Multiaddrs for its invites. */
  readonly addresses: readonly string[]
  /** Closed with the relay. */
  readonly volume: Volume
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly quotas: RelayQuotas
  /** A member list is in force: who may not be here any more has to go. */
  readonly onListed: () => void
}

export interface RelayInside extends Closeable {
  readonly host: DeviceLinkHost
  /** A device's conversation about accounts, mailboxes and lists. */
  readonly control: (link: PairingLink) => void
  readonly engine: MailboxEngine
  readonly mailboxes: Mailboxes
  invite(): Promise<string>
}

export function createRelayInside(options: RelayInsideOptions): Promise<RelayInside> {
  const { id, addresses, volume, clock, random, logger, quotas } = options
  return openOrCleanUp(async opened => {
    const engine = opened.use(createVolumeEngine(volume))
    const directory = createDirectory(await engine.mailboxes(), await engine.accounts())
    const ending = new AbortController()
    opened.add(() => ending.abort())
    const mailboxes = createMailboxes({
      engine,
      directory,
      admission: createAdmission({ engine, clock, signal: ending.signal }),
      clock,
      random,
      hasher: nativeHasher,
      logger,
      idleMs: MINUTE_MS,
      events: UNHEARD,
    })
    opened.add(() => mailboxes.close())
    const control = createControl({
      engine,
      directory,
      clock,
      logger,
      isDraining: () => false,
      onChosen: () => mailboxes.relocate(),
      async onGone(mailbox) {
        directory.remove(mailbox)
        await mailboxes.evict(mailbox, 'not-a-member')
      },
      onListed(record) {
        options.onListed()
        mailboxes.relocate()
        const old = record.list?.version === 2 ? directory.all().find(({ replaced }) => replaced?.by === record.id) : undefined
        const failed = (error: unknown): void => logger.error('not-brought-along', { error: String(error) })
        if (old !== undefined) mailboxes.bringAlong(old.id, record.id).catch(failed) // again before the old one goes
      },
      onAnswered: () => undefined,
      retiredBytes: retiredBytesIn(engine, clock),
    })
    return {
      host: mailboxes.host,
      control,
      engine,
      mailboxes,
      async invite() {
        const token = random.bytes(TOKEN_BYTES)
        const now = Math.trunc(clock.now())
        await engine.putInvite({ tokenHash: hashOfToken(token), quotas, retention: 'keep', createdAt: now, expiresAt: now + DAY_MS })
        return encodeInvite({ relay: id, addresses, token })
      },
      close: opened.close,
      [Symbol.asyncDispose]: opened.close,
    }
  })
}

const TOKEN_BYTES = 32
const UNHEARD = {
  onLinks: (): void => undefined,
  onFrame: (): void => undefined,
  onRejected: (): void => undefined,
  onWritten: (): void => undefined,
  onWriteFailed: (): void => undefined,
}
