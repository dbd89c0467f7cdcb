// Writes how much the second WAV file (mono PCM16) resembles some stretch of the first, which is
// taken to repeat: 1 is the same up to loudness and to less than a sample of delay.
import { readFile } from "node:fs/promises";

const [said, heard] = await Promise.all(process.argv.slice(2).map(samplesOf));
const LENGTH = Math.min(heard.length, 32000);
const STEP = 4;

async function samplesOf(path) {
  const file = await readFile(path);
  const data = file.subarray(file.indexOf("data") + 8);
  return Float64Array.from({ length: data.length >> 1 }, (_, i) => data.readInt16LE(i * 2));
}

function at(position) {
  return said[((position % said.length) + said.length) % said.length];
}

/** `said` at a fraction of a sample, by a windowed sinc. */
function between(position) {
  const whole = Math.floor(position);
  let sum = 0;
  for (let i = whole - 15; i <= whole + 16; i++) {
    const x = position - i;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    sum += at(i) * sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / 16));
  }
  return sum;
}

function correlation(part, lag, step, sample) {
  let product = 0, here = 0, there = 0;
  for (let i = 0; i < part.length; i += step) {
    const other = sample(i + lag);
    product += part[i] * other;
    here += part[i] * part[i];
    there += other * other;
  }
  return product / Math.sqrt(here * there + 1e-9);
}

function best(lags, score) {
  return lags.reduce((found, lag) => (score(lag) > found.score ? { lag, score: score(lag) } : found), { lag: 0, score: -1 });
}

// Loud stretches only: in silence everything resembles everything. The best of them counts, because
// on a busy machine the browser's stand-in for a microphone stumbles now and then.
const starts = Array.from({ length: Math.floor((heard.length - LENGTH) / 8000) + 1 }, (_, i) => i * 8000);
const energy = (start) => heard.subarray(start, start + LENGTH).reduce((sum, one) => sum + one * one, 0);
const most = Math.max(...starts.map(energy));
const scores = starts.filter((start) => energy(start) > most / 2).map((start) => {
  const part = heard.subarray(start, start + LENGTH);
  const coarse = best(Array.from({ length: Math.ceil(said.length / STEP) }, (_, i) => i * STEP), (lag) => correlation(part, lag, 16, at));
  const fine = best(Array.from({ length: 2 * STEP + 1 }, (_, i) => coarse.lag - STEP + i), (lag) => correlation(part, lag, 1, at));
  return best(Array.from({ length: 17 }, (_, i) => fine.lag - 1 + i / 8), (lag) => correlation(part, lag, 1, between)).score;
});
console.log(Math.max(...scores).toFixed(5));
