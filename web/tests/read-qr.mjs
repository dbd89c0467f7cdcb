/** Writes what the QR code in a picture says: `read-qr.mjs PIXELS`, a JSON file with `width`, `height` and RGBA `data`. */

import { readFileSync } from "node:fs";
import { decodeQR } from "qr/decode.js";

const { width, height, data } = JSON.parse(readFileSync(process.argv[2], "utf8"));
process.stdout.write(decodeQR({ width, height, data: Uint8ClampedArray.from(data) }));
