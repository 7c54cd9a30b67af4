/**
 * The pairing code as something to look at, and back from a picture of it. The text is base45, which a QR code stores in its
 * alphanumeric mode, so the code stays small enough for a terminal and a cheap camera. What draws and reads is loaded when it is used:
 * it takes 70 ms and 6 MB, and a device pairs once.
 */
import type QRCode from 'qrcode'

export interface PairingQr {
  /** Half-block characters, dark on light, quiet zone included; about 27 lines. */
  terminal(): Promise<string>
  /** A whole SVG document. */
  svg(): Promise<string>
  /** A PNG file, eight pixels a module. */
  png(): Promise<Uint8Array>
}

/** `qrText` is an inviter's `qrText`. */
export function createPairingQr(qrText: string): PairingQr {
  const segments = [{ data: qrText, mode: 'alphanumeric' }] as const
  return {
    async terminal() {
      const drawer = await loadDrawer()
      return drawer.toString([...segments], { type: 'terminal', small: true, errorCorrectionLevel: 'L' })
    },
    async svg() {
      const drawer = await loadDrawer()
      return drawer.toString([...segments], { type: 'svg', margin: QUIET_MODULES, errorCorrectionLevel: 'M' })
    },
    async png() {
      const drawer = await loadDrawer()
      const options = { type: 'png', margin: QUIET_MODULES, scale: 8, errorCorrectionLevel: 'M' } as const
      return new Uint8Array(await drawer.toBuffer([...segments], options))
    },
  }
}

/**
 * The text of the QR in a PNG or JPEG: whatever it says, whether or not it is a pairing code. Rejects with SegueError:
 * PAIRING_IMAGE_INVALID for what is no such image, is damaged or over 50 megapixels, PAIRING_NO_QR when no code is found.
 */
export async function readQrImage(file: Uint8Array): Promise<string> {
  const { findQr } = await import('./qr-reader.ts')
  return findQr(file)
}

const QUIET_MODULES = 4

async function loadDrawer(): Promise<typeof QRCode> {
  const { default: drawer } = await import('qrcode')
  return drawer
}
