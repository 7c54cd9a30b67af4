/**
 * Opens Segue on this machine. This file is the table of contents: what there is, in the order it is made, closed in reverse.
 */
import { createRecorder, createSubject, openOrCleanUp, SegueError, type DeviceId, type Joined } from '@segue/core'
import type { Clock, DeviceLink, Logger, RecordStore } from '@segue/core/ports'
import { createNode, type NetNode } from '@segue/net'
import { eraseFiles, eraseKeys, finishErasing, forgetErased, markErased, openStore, type Unlock } from '@segue/storage'
import { createAudits } from './audit.ts'
import { createAdoptionWay } from './adoption/way.ts'
import { sayGoodbye } from './adoption/leave-group.ts'
import { createBackups } from './backup/backups.ts'
import { createDamageWatch } from './damage-watch.ts'
import { createDeviceList } from './device-list.ts'
import { loadErasedAt, loadIdentity, saveErasedAt, saveGroup } from './device-records.ts'
import { createKeys } from './keys-face.ts'
import { createLateEditsFace } from './late-edits-face.ts'
import { createLinkHost } from './link-host.ts'
import { keepListenAddresses, keptListenAddresses } from './listen-addresses.ts'
import { loadWebrtc } from './load-webrtc.ts'
import { createMembers, takeProofs, type Members } from './members.ts'
import { createNoticeWatch } from './notices/notice-sources.ts'
import { createPairing } from './pairing-face.ts'
import { createPerson } from './person.ts'
import { silentLogger } from './platform/loggers.ts'
import { nativeHasher } from './platform/native-hasher.ts'
import { createSystemClock } from './platform/system-clock.ts'
import { systemRandom } from './platform/system-random.ts'
import type { RelayPlace } from './relay-client.ts'
import { createPhrases } from './recovery/phrases.ts'
import { createUntoldRelays } from './recovery/tell-relays.ts'
import { createRelays } from './relays.ts'
import { createCourtesy, isToBeCalledOn } from './removal/courtesy.ts'
import { createOwnRemoval, type OnRemoved } from './removal/own-removal.ts'
import { createRemovalWatch } from './removal/removal-watch.ts'
import { createRemoving } from './removal/remove.ts'
import { createRoles, type Devices } from './roles.ts'
import { createRuntime, type Runtime, type RuntimeParts } from './runtime.ts'
import type { Segue } from './segue.ts'
import { createStatus } from './status.ts'
import { lookAround } from './surroundings.ts'
import { createNodeWorker } from './worker/node-worker.ts'

export interface OpenSegueOptions {
  /** Where everything of this device lies; made when it is not there. One process at a time. */
  readonly directory: string
  readonly device: {
    /** What other devices call this one, when it is set up. 1 to 64 characters. Later: `segue.rename`. */
    readonly name: string
  }
  /** How the keys are kept. Without it the machine's keychain; where there is none, UNLOCK_NEEDED names the choices. */
  readonly unlock?: Unlock | readonly Unlock[]
  readonly network?: NetworkOptions
  /**
   * What becomes of what is here when this device learns that it was removed from its group. Default `keep`: it stays readable. `erase`:
   * keys first, then the files; the members are told so, and Segue closes. `Segue.status` says it in both cases.
   */
  readonly onRemoved?: OnRemoved
  /** Diagnostics. Default: none. */
  readonly logger?: Logger
}

export interface NetworkOptions {
  /** Multiaddrs. Default: every private interface, TCP and WebSocket, ports chosen by the system. */
  readonly listen?: readonly string[]
  /** Multiaddrs that others are told instead of those listened on: where a container's or a router's forwarded port is. */
  readonly announce?: readonly string[]
  /** Find devices on the local network, and be found. Default true. */
  readonly mdns?: boolean
  /**
   * Go past a relay by WebRTC where the optional package @libp2p/webrtc is installed. Default true. It asks no server (no STUN, no TURN): it
   * finds ways within one network, and to devices that have an address of their own.
   */
  readonly webrtc?: boolean
}

/**
 * Rejects with SegueError: UNLOCK_NEEDED, UNLOCK_WRONG, STORE_LOCKED, STORE_NEWER, STORE_FAILED, STORE_DAMAGED, STORE_UNSAFE_PLACE,
 * STORE_NOT_PRIVATE. Then
 * nothing runs and nothing was changed.
 */
export function openSegue(options: OpenSegueOptions): Promise<Segue> {
  return openSegueOn(createSystemClock(), options)
}

/** The same by another clock, or at another pace: of heartbeats, and of admins waiting for each other with a mailbox to move. */
export function openSegueOn(
  clock: Clock,
  { directory, device, unlock, network = {}, onRemoved = 'keep', logger = silentLogger }: OpenSegueOptions,
  { heartbeatPace, moveGraceMs }: Pick<RuntimeParts, 'heartbeatPace'> & { readonly moveGraceMs?: number | undefined } = {},
): Promise<Segue> {
  return openOrCleanUp(async opened => {
    const random = systemRandom
    const recorder = createRecorder()
    const damage = createDamageWatch(clock, logger)

    // bytes at rest
    const erasedBefore = await finishErasing(directory)
    const store = opened.use(
      await openStore({
        directory,
        ...(unlock === undefined ? {} : { unlock }),
        onDamaged: found => damage.onDamaged(found),
      }),
    )
    if (erasedBefore !== undefined) {
      await saveErasedAt(store.records, erasedBefore)
      await forgetErased(directory)
    }
    const erasedAt = createSubject(await loadErasedAt(store.records))
    const identity = await loadIdentity(store.records, device.name, random)
    opened.add(() => {
      for (const { secretKey } of [identity.signing, identity.sealing]) secretKey.fill(0)
    })
    const notices = opened.use(await createNoticeWatch({ self: identity.id, records: store.records, clock, logger }))
    opened.add(recorder.addSink(notices.sink))
    const person = createPerson(store.vault)
    const keys = createKeys(store.vault, person)

    // what it means
    const worker = opened.use(createNodeWorker())
    const platform = { clock, random, hasher: nativeHasher, logger, worker }
    let net: NetNode | undefined
    let runtime: Runtime | undefined
    const present = (): Runtime => {
      if (runtime === undefined) throw new SegueError('CLOSED') // between two groups, or the way to the second ended half-way
      return runtime
    }
    const createOn = (records: RecordStore): Promise<Runtime> => {
      const { chunks, compact } = store
      const linkTo = (peer: DeviceId): DeviceLink | undefined => net?.links.peek().get(peer)
      return createRuntime({ ...platform, store: { chunks, records, compact }, identity, telemetry: recorder, linkTo, heartbeatPace })
    }
    const adoption = createAdoptionWay({ records: store.records, logger, open: createOn })
    const start = (): Promise<Runtime> => adoption.start()

    runtime = await start().catch((error: unknown) => {
      if (adoption.isUndone()) return start() // in the group it came from, with all that it had
      throw error
    })
    opened.add(() => runtime?.close())
    opened.add(() => damage.close())

    let members: Members | undefined
    /** Between two groups nobody is heard of the first. */
    let isLeaving = false
    const unlessLeaving = (): Runtime | undefined => (isLeaving ? undefined : runtime)
    const relays = createRelays({
      self: identity.id,
      sealing: identity.sealing,
      records: store.records,
      clock,
      random,
      logger,
      moveGraceMs,
      telemetry: recorder,
      runtime: () => runtime,
      node: () => net,
      onChanged: () => members?.refresh(),
    })

    const removal = await createOwnRemoval({
      ...{ identity, clock, logger, records: store.records, policy: onRemoved },
      node: () => net,
      onChanged: () => members?.refresh(),
      async eraseKeys() {
        await markErased(directory, clock.now())
        await eraseKeys(directory)
      },
      async eraseRest() {
        await opened.close()
        await eraseFiles(directory)
      },
    })
    const removals = opened.use(await createRemovalWatch({ identity, records: store.records, clock, random, logger, relays }))

    // bytes in motion
    const listen = network.listen ?? (await keptListenAddresses(store.records))
    const node = opened.use(
      await createNode({
        signing: identity.signing,
        host: createLinkHost({
          self: identity.id,
          clock,
          telemetry: recorder,
          isRelay: relays.isRelay,
          runtime: () => runtime,
          onComing: () => worker.warmUp?.(),
          onSeen(peer) {
            members?.onSeen(peer)
            notices.onClock(peer, net?.discovery.clockOffsetOf(peer))
          },
        }),
        onStranger: notices.onStranger,
        onTwice: notices.onTwice,
        mdns: network.mdns ?? true,
        ...(network.webrtc === false ? {} : { loadWebrtc }),
        ...(listen === undefined ? {} : { listen }),
        ...(network.announce === undefined ? {} : { announce: network.announce }),
        onRefused: (peer, code) => (relays.isRelay(peer) ? relays : members)?.onRefused(peer, code),
        clock,
        random,
        logger,
      }),
    )
    net = node
    if (network.listen === undefined) await keepListenAddresses(store.records, node.addresses.peek())
    members = opened.use(
      await createMembers(
        {
          ...{ self: identity.id, records: store.records, clock, logger, runtime: unlessLeaving, relays: relays.linked, removal },
          isToBeCalledOn: device => isToBeCalledOn(device, removals.list.peek()),
        },
        () => node,
      ),
    )
    const courtesy = opened.use(
      createCourtesy({
        ...{ clock, logger, node, runtime: unlessLeaving, removals: removals.list, own: removal },
        addressesOf: device => members?.addressesOf(device) ?? [],
      }),
    )
    opened.use(relays)
    opened.use(
      createUntoldRelays({
        ...{ self: identity.id, records: store.records, clock, logger },
        group: () => runtime?.group,
        onTold: () => node.resume(),
      }),
    )
    opened.add(takeProofs(node, unlessLeaving, removals, logger))
    opened.add(removal.close)

    // what an app sees of it
    const list = opened.use(createDeviceList(identity.id, node, members, relays.list))
    const deviceName = (): string => ownName()
    const backups = await createBackups({ chunks: store.chunks, records: store.records, clock, random, runtime: present, deviceName })
    const status = opened.use(
      createStatus({
        ...{ node, keys: keys.slots, clock, damaged: damage.damaged, devices: list.devices, relays: relays.list },
        ...{ removed: removal.state, erasedAt, notices: notices.notices },
        lastBackupAt: backups.lastAt,
      }),
    )
    const lateEdits = createLateEditsFace(present)
    const follow = (): void => {
      const now = present()
      relays.follow(now)
      list.follow(now)
      status.follow(now)
      notices.follow(now)
      lateEdits.follow(now)
      damage.follow(now.replica, store.chunks)
      removal.follow(now)
      removals.follow(now)
      const onGroup = (): void => {
        members.refresh()
        courtesy.look()
      }
      now.group.state.subscribe(onGroup)
      onGroup()
    }
    follow()

    const keep = async (joined: Joined, beside?: ReadonlyMap<string, Uint8Array>): Promise<void> =>
      saveGroup(store.records, { id: joined.groupId, secret: joined.groupSecret, entries: joined.entries, dropChunks: true }, beside)
    /** Rejects when the joined group cannot be opened now, with the disk full for example: then it is when Segue is opened again. */
    const enter = async (joined: Joined): Promise<void> => {
      const left = runtime
      isLeaving = true
      if (left !== undefined) {
        await adoption.decide(left).catch((error: unknown) => {
          isLeaving = false // in the group it came from, as if nothing had been
          throw error
        })
        await sayGoodbye(left, { identity, clock, random, logger })
      }
      await left?.close().catch((error: unknown) => logger.warn('left-group-not-closed', { error: String(error) }))
      runtime = undefined
      isLeaving = false
      runtime = await start().catch(async (error: unknown) => {
        if (adoption.isUndone()) {
          runtime = await start() // in the group it came from, with all that it had
          follow()
        }
        throw error
      })
      follow()
      erasedAt.set(undefined)
      await saveErasedAt(store.records, undefined)
      const { inviter, addresses } = joined
      for (const address of addresses) {
        await members.addAddress(inviter, address).catch((error: unknown) => logger.warn('address-not-kept', { error: String(error) }))
      }
    }
    const meetingRelay = (): RelayPlace | undefined => {
      const all = relays.list.peek()
      return all.find(({ state }) => state === 'linked') ?? all[0]
    }
    const ownName = (): string => runtime?.group.device(identity.id)?.name ?? identity.name
    const devices: Devices = {
      ...list.devices,
      ...createRoles({ clock, person, runtime: present }),
      ...createRemoving({ identity, clock, person, own: removal, runtime: present, list: removals.list }),
    }
    const pairing = opened.use(
      createPairing({
        node,
        identity,
        person,
        name: ownName,
        clock,
        random,
        logger,
        telemetry: recorder,
        runtime: present,
        isRemoved: () => removal.state.peek() !== undefined,
        relay: meetingRelay,
        keep,
        enter,
        adoption,
      }),
    )

    return {
      device: {
        id: identity.id,
        get name() {
          return ownName()
        },
      },
      get repo() {
        return present().documents.repo
      },
      pairing,
      devices,
      removal: removal.state,
      person,
      keys,
      sessions: {
        create: async options => present().faces.create(options),
        async open(id, options) {
          const { local, faces } = present()
          const state = local.stateOf(id)
          if (state === 'not-here') throw new SegueError('SESSION_NOT_HERE', { session: id })
          if (state === 'coming-back') await local.bringBack([{ session: id }], options)
          return faces.open(id, options)
        },
        get list() {
          return present().sessions.list
        },
        whenListed: () => present().index.whenRead(),
      },
      get deletions() {
        return present().deletions
      },
      get handoff() {
        return present().handoffs
      },
      lateEdits,
      relays: { add: relays.add, list: relays.list, remove: relays.remove },
      backup: { write: backups.write },
      recovery: createPhrases({ runtime: present, clock, person }),
      status: status.status,
      notices: notices.notices,
      ...createAudits({ identity, clock, runtime: present }),
      events: recorder.events,
      async rename(name) {
        const { group, keeper } = present()
        await keeper.keep(group.rename(identity.id, name, clock.now()))
      },
      addAddress: (peer, address) => members.addAddress(peer, address),
      resume: () => node.resume(),
      lookAround: async ({ signal } = {}) => lookAround(node, present(), signal),
      flush: async () => present().documents.flush(),
      close: opened.close,
      [Symbol.asyncDispose]: opened.close,
    }
  })
}
