/**
 * Yamux answers every message, however small, with a window update: a system call here and a wake-up there for every keystroke. The
 * reference implementation waits until half of the window is used; here it is a quarter, so that a fast sender never stands still.
 */
import type { Stream } from '@libp2p/interface'
import { YamuxStream } from '@chainsafe/libp2p-yamux/stream'

/** For a stream that is open: what opens it must not be kept back. */
export function updateWindowRarely(stream: Stream): void {
  if (!(stream instanceof YamuxStream)) return // WebRTC has windows of its own
  const { handleData, sendWindowUpdate } = stream
  let unreported = 0
  stream.handleData = frame => {
    unreported += frame.header.length
    handleData.call(stream, frame)
  }
  stream.sendWindowUpdate = () => {
    if (unreported < UPDATE_EVERY_BYTES) return
    if (stream.readStatus !== 'paused') unreported = 0 // a paused stream says nothing now and all of it later
    sendWindowUpdate.call(stream)
  }
}

/** A quarter of yamux's first window (256 KiB), which grows but never shrinks. */
const UPDATE_EVERY_BYTES: number = 64 * 1_024
