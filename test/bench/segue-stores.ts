/** Stores prepared once and copied for each round: what is measured begins from the same bytes every time. */
import path from 'node:path'
import type { AutomergeUrl } from '@automerge/automerge-repo'
import { keyFile, openStore } from '@segue/storage'
import { startDevice, startPair } from './segue-pair.ts'

export interface Unsynced {
  readonly createdInMs: number
  /** A text of 1 KB that both have. */
  readonly shared: AutomergeUrl
}

/** A pair that has one text in common; then `count` small documents are made on the laptop while the desk sleeps. */
export async function prepareUnsynced(directory: string, count: number): Promise<Unsynced> {
  const pair = await startPair(directory)
  const shared = await pair.laptop.call.createText()
  await pair.desk.call.watch(shared)
  await Promise.all([pair.laptop.call.whenInSync(), pair.desk.call.whenInSync()])
  await pair.stop()
  const laptop = await startDevice('laptop', path.join(directory, 'laptop'))
  const createdInMs = await laptop.call.createInRepo(count)
  await laptop.stop()
  return { createdInMs, shared }
}

export interface Holdings {
  readonly chunks: number
  readonly fragments: number
}

/** What lies in a device's store; the device must not run. */
export async function holdingsOf(directory: string): Promise<Holdings> {
  const store = await openStore({ directory, unlock: keyFile(`${directory}.key`) })
  try {
    let fragments = 0
    for await (const chunk of store.chunks.since(0)) if (chunk.class === 'fragment') fragments++
    return { chunks: store.chunks.size().chunks, fragments }
  } finally {
    await store.close()
  }
}
