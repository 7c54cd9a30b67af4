/**
 * A device as a process of its own, for a network namespace: `mdns-device.ts <own number> <other's number> <name>`. It has pairing open
 * under its name, knows the other's id but no address, and prints one JSON line for each thing it finds.
 */
import '../src/polyfills.ts'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { deviceIdOf } from '@segue/core/sealed'
import { createNode } from '../src/node.ts'

const [own = '1', other = '2', name = 'nobody'] = process.argv.slice(2)
const keyOf = (seed: string): ReturnType<typeof generateKeyPairFromSeed<'Ed25519'>> =>
  generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(Number(seed)))
const [mine, theirs] = [await keyOf(own), await keyOf(other)]
const peer = deviceIdOf(theirs.publicKey.raw)
const say = (line: object): void => console.log(JSON.stringify(line))

const node = await createNode({
  signing: { publicKey: mine.publicKey.raw, secretKey: mine.raw },
  mdns: true,
  members: new Map([[peer, []]]),
  host: {
    mayConnect: candidate => candidate === peer,
    onLink(link) {
      say({ linked: link.peer })
      return { onFrame: () => undefined, onClosed: () => undefined }
    },
  },
})
node.pairing.nearby.subscribe(devices => say({ nearby: devices }))
node.pairing.open(name, () => undefined)
say({ ready: node.id, addresses: node.addresses.peek() })
process.stdin.on('end', () => void node.close().then(() => process.exit(0))).resume()
