/**
 * The only importer of Noise, so that moving to its new name (@libp2p/noise) is a change of one line.
 *
 * Noise gives its connection each message as two pieces, a length of two bytes and the ciphertext, and TCP writes every piece by itself:
 * two system calls here and two wake-ups there for every keystroke. Joined they are one.
 */
import { noise as joinless } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'

export function noise(): ReturnType<typeof joinless> {
  const create = joinless()
  return components => {
    const encrypter = create(components)
    const { secureInbound, secureOutbound } = encrypter
    return Object.assign(encrypter, {
      secureInbound: (connection, options) => secureInbound.call(encrypter, joined(connection), options),
      secureOutbound: (connection, options) => secureOutbound.call(encrypter, joined(connection), options),
    } satisfies Pick<ConnectionEncrypter, 'secureInbound' | 'secureOutbound'>)
  }
}

/** Large messages stay in pieces: for them copying costs more than a system call. */
function joined<Connection extends MessageStream>(connection: Connection): Connection {
  const send = connection.send.bind(connection)
  connection.send = data => send(data.byteLength <= MAX_JOINED_BYTES ? data.subarray() : data)
  return connection
}

const MAX_JOINED_BYTES = 4_096
