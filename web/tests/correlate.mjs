// Writes how much the second WAV file (mono PCM16) resembles some stretch of the first, which is
// taken to repeat: 1 is the same up to loudness and to a delay, of a fraction of a sample too.
import { readFile } from "node:fs/promises";

const [said, heard] = await Promise.all(process.argv.slice(2).map(samplesOf));
const LENGTH = Math.min(heard.length, 32000);
const STEP = 4;
const TAPS = 32;
const repeated = Float64Array.from({ length: said.length + LENGTH + 2 * TAPS }, (_, i) => said[i % said.length]);

async function samplesOf(path) {
  const file = await readFile(path);
  const data = file.subarray(file.indexOf("data") + 8);
  return Float64Array.from({ length: data.length >> 1 }, (_, i) => data.readInt16LE(i * 2));
}

function correlation(part, other, lag, step) {
  let product = 0, here = 0, there = 0;
  for (let i = 0; i < part.length; i += step) {
    product += part[i] * other[i + lag];
    here += part[i] * part[i];
    there += other[i + lag] * other[i + lag];
  }
  return product / Math.sqrt(here * there + 1e-9);
}

function best(candidates, score) {
  return candidates.map((one) => ({ one, score: score(one) })).reduce((a, b) => (b.score > a.score ? b : a));
}

const range = (count, from = 0, step = 1) => Array.from({ length: count }, (_, i) => from + i * step);

/** What was said from `lag` on, a fraction of a sample later, by a windowed sinc. */
function delayed(lag, fraction) {
  const weights = range(TAPS, 1 - TAPS / 2).map((i) => {
    const x = fraction - i;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    return sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / (TAPS / 2 + 1)));
  });
  const first = lag + 1 - TAPS / 2 + said.length;
  return Float64Array.from({ length: LENGTH }, (_, n) =>
    weights.reduce((sum, weight, i) => sum + weight * repeated[(first + n + i) % said.length], 0),
  );
}

// Loud stretches only: in silence everything resembles everything. The best of them counts, because
// on a busy machine the browser's stand-in for a microphone stumbles now and then.
const starts = range(Math.floor((heard.length - LENGTH) / 8000) + 1, 0, 8000);
const energy = (start) => heard.subarray(start, start + LENGTH).reduce((sum, one) => sum + one * one, 0);
const most = Math.max(...starts.map(energy));
const found = starts.filter((start) => energy(start) > most / 2).map((start) => {
  const part = heard.subarray(start, start + LENGTH);
  const coarse = best(range(Math.ceil(said.length / STEP), 0, STEP), (lag) => correlation(part, repeated, lag, 16)).one;
  const fine = best(range(2 * STEP + 1, Math.max(0, coarse - STEP)), (lag) => correlation(part, repeated, lag, 1));
  return { part, lag: fine.one, score: fine.score };
});
const { part, lag } = best(found, ({ score }) => score).one;
const fractions = range(17, -1, 1 / 8);
console.log(best(fractions, (one) => correlation(part, delayed(lag + Math.floor(one), one - Math.floor(one)), 0, 1)).score.toFixed(5));
