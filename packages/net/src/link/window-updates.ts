/**
 * Yamux answers every message, however small, with a window update: a system call here and a wake-up there for every keystroke. The
 * reference implementation waits until half of the window is used; here it is a quarter, so that a fast sender never stands still.
 *
 * And a stream that is paused says nothing of room. libp2p tells yamux that it goes on after it has given out what had gathered: a reader that
 * paused again at that was not heard, the sender went on, and at 4 MiB libp2p broke the stream (yamux 8.0, libp2p 3.3).
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
    if (unreported < UPDATE_EVERY_BYTES || stream.readStatus === 'paused') return
    unreported = 0
    sendWindowUpdate.call(stream)
  }
}

/** A quarter of yamux's first window (256 KiB), which grows but never shrinks. */
const UPDATE_EVERY_BYTES: number = 64 * 1_024
