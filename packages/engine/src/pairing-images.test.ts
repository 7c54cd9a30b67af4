import { createSeededRandom } from '@segue/core/testing'
import jpeg from 'jpeg-js'
import { PNG } from 'pngjs'
import { describe, expect, test } from 'vitest'
import { createPairingQr, readQrImage } from './pairing-images.ts'

/** As long as the text of an ordinary invitation, in its alphabet. */
const TEXT = Array.from(createSeededRandom(80).bytes(180), byte => '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'[byte % 45]).join('')

describe('a picture of the code', () => {
  test('the PNG that the laptop makes is read back', async () => {
    expect(await readQrImage(await createPairingQr(TEXT).png())).toBe(TEXT)
  })

  test('turned by 17 degrees, seen smaller, darker and with noise', async () => {
    const seen = photograph(await createPairingQr(TEXT).png(), {
      degrees: 17,
      scale: 0.7,
      contrast: 0.6,
      noise: 50,
      width: 640,
      height: 480,
    })
    expect(await readQrImage(PNG.sync.write(seen))).toBe(TEXT)
  })

  test.each([0, 90, 180, 200, 345])('a JPEG of it, turned by %i degrees', async degrees => {
    const seen = photograph(await createPairingQr(TEXT).png(), { degrees, scale: 0.9, contrast: 0.8, noise: 30, width: 800, height: 600 })
    expect(await readQrImage(jpeg.encode(seen, 70).data)).toBe(TEXT)
  })

  test('a camera picture of four megapixels, full of noise, in which the code takes a third of the width', async () => {
    const seen = photograph(await createPairingQr(TEXT).png(), {
      degrees: 5,
      scale: 1.8,
      contrast: 0.7,
      noise: 60,
      width: 2304,
      height: 1728,
    })
    expect(await readQrImage(jpeg.encode(seen, 80).data)).toBe(TEXT)
  })

  test('light on dark and with a transparent background', async () => {
    const { width, height, data } = PNG.sync.read(Buffer.from(await createPairingQr(TEXT).png()))
    const inverted = new PNG({ width, height })
    const transparent = new PNG({ width, height })
    data.forEach((value, i) => {
      const isDark = data[i - (i % 4)] === 0
      inverted.data[i] = i % 4 === 3 ? 255 : 255 - value
      transparent.data[i] = i % 4 === 3 && isDark ? 255 : 0
    })
    expect(await readQrImage(PNG.sync.write(inverted))).toBe(TEXT)
    expect(await readQrImage(PNG.sync.write(transparent))).toBe(TEXT)
  })
})

describe('on a screen', () => {
  test('the terminal form is small enough for a window and the SVG is a whole document', async () => {
    const qr = createPairingQr(TEXT)
    const lines = (await qr.terminal()).split('\n')
    expect(lines.length).toBeLessThan(32)
    expect(await qr.svg()).toMatch(/^<svg .*<\/svg>\s*$/s)
  })

  test('alphanumeric mode is used: byte mode would need a larger code', async () => {
    const width = async (text: string): Promise<number> => PNG.sync.read(Buffer.from(await createPairingQr(text).png())).width
    expect(await width(TEXT)).toBe((49 + 8) * 8)
  })
})

describe('what is no picture of a code', () => {
  test('an image without a QR is a clear error', async () => {
    const blank = new PNG({ width: 300, height: 200 })
    blank.data.fill(255)
    const noise = new PNG({ width: 300, height: 200 })
    noise.data.set(createSeededRandom(81).bytes(noise.data.length))
    for (const image of [blank, noise, new PNG({ width: 1, height: 1 })])
      await expect(readQrImage(PNG.sync.write(image))).rejects.toThrow('No QR code was found')
  })

  test('a file that is neither PNG nor JPEG, or a damaged one, is a clear error', async () => {
    const png = await createPairingQr(TEXT).png()
    const gif = new TextEncoder().encode('GIF89a')
    for (const file of [new Uint8Array(), gif, png.subarray(0, 10), png.subarray(0, 200), Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)]) {
      await expect(readQrImage(file)).rejects.toThrow(/not a PNG or JPEG/)
    }
  })

  test('a PNG that claims to be gigantic is refused before it is unpacked', async () => {
    const png = (await createPairingQr(TEXT).png()).slice()
    new DataView(png.buffer).setUint32(16, 100_000)
    new DataView(png.buffer).setUint32(20, 100_000)
    await expect(readQrImage(png)).rejects.toThrow('too large')
  })

  test('60 damaged images give a text or a clear error, nothing else', async () => {
    const png = await createPairingQr(TEXT).png()
    const jpg = jpeg.encode(photograph(png, { degrees: 0, scale: 0.5, contrast: 1, noise: 0, width: 260, height: 260 }), 50).data
    const random = createSeededRandom(82)
    for (let i = 0; i < 60; i++) {
      const damaged = Uint8Array.from(i % 2 === 0 ? png : jpg)
      for (const at of [random.bytes(2), random.bytes(2)])
        damaged[((at[0] as number) * 256 + (at[1] as number)) % damaged.length] = random.bytes(1)[0] as number
      try {
        await readQrImage(damaged)
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^PAIRING_(IMAGE_INVALID|NO_QR)$/) })
      }
    }
  })
})

interface View {
  readonly degrees: number
  readonly scale: number
  /** 1 is black on white, less is grey on grey. */
  readonly contrast: number
  /** Greatest change of a pixel's brightness either way. */
  readonly noise: number
  readonly width: number
  readonly height: number
}

/** The code as a camera would see it: turned about the middle of a grey picture. */
function photograph(file: Uint8Array, view: View): PNG {
  const shown = PNG.sync.read(Buffer.from(file))
  const seen = new PNG({ width: view.width, height: view.height })
  const noise = createSeededRandom(83).bytes(view.width * view.height)
  const angle = (view.degrees * Math.PI) / 180
  for (let y = 0; y < view.height; y++) {
    for (let x = 0; x < view.width; x++) {
      const [dx, dy] = [(x - view.width / 2) / view.scale, (y - view.height / 2) / view.scale]
      const fromX = Math.round(dx * Math.cos(angle) + dy * Math.sin(angle) + shown.width / 2)
      const fromY = Math.round(dy * Math.cos(angle) - dx * Math.sin(angle) + shown.height / 2)
      const isInside = fromX >= 0 && fromX < shown.width && fromY >= 0 && fromY < shown.height
      const brightness = isInside ? (shown.data[4 * (fromY * shown.width + fromX)] as number) : 170
      const at = y * view.width + x
      const value = 128 + (brightness - 128) * view.contrast + (((noise[at] as number) - 128) / 128) * view.noise
      seen.data.fill(Math.max(0, Math.min(255, value)), 4 * at, 4 * at + 3)
      seen.data[4 * at + 3] = 255
    }
  }
  return seen
}
