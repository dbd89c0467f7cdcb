/** Metrics in words: their names, units and numbers, and which of them are bad news. */

/** Of the system's own metrics. Another one's name is taken apart. */
const NAMES = new Map([
  ["AudioChunkSize", "Size of an audio chunk"],
  ["AudioChunksDropped", "Audio chunks not passed on"],
  ["AudioChunksReceived", "Audio chunks received"],
  ["AudioProcessingLatency", "Time to pass a chunk on"],
  ["ColdStarts", "Functions started"],
  ["ConnectionsClosedForRateLimit", "Connections closed for sending too much"],
  ["ControlMessageLatency", "Time for a control message"],
  ["ControlMessagesReceived", "Control messages received"],
  ["DynamoDBErrors", "Database errors"],
  ["LambdaErrors", "Functions that failed"],
  ["ListenerNotificationFailures", "Messages that did not reach a listener"],
  ["ListenerNotificationLatency", "Time to notify the listeners"],
  ["ListenersNotified", "Listeners notified"],
  ["MessageFailures", "Messages refused or failed"],
  ["MessageLatency", "Time for a message"],
  ["RateLimitViolations", "Messages over a limit"],
  ["RefreshTokensRefused", "Refresh tokens refused"],
  ["StatusQueriesReceived", "Status requests"],
  ["StatusQueryLatency", "Time to answer with the status"],
]);
const BAD = /Errors|Failures|Dropped|Overflows|Violations|Refused|Closed|Failed|Wrong/;
const UNITS = new Map([["Milliseconds", "ms"], ["Microseconds", "µs"], ["Seconds", "s"], ["Bytes", "B"], ["Percent", "%"], ["None", ""]]);

/** @param {string} name as in `AudioChunkSize` */
export function wordsOf(name) {
  const words = name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, " ").toLowerCase();
  return NAMES.get(name) ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** Say whether each one that is counted is bad news. @param {string} name */
export function isBad(name) {
  return BAD.test(name);
}

/** @param {string} unit CloudWatch's */
export function unitOf(unit) {
  return UNITS.get(unit) ?? unit;
}

/** Return a number with three digits or so. @param {number} value */
export function shown(value) {
  if (value === 0 || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(Math.abs(value) < 1 ? 2 : 3)));
}

/** Return the end of an axis: the next 1, 2 or 5 with zeros that is no less. @param {number} most */
export function axisEnd(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  // What a number misses by a rounding of its last bits is no reason for an axis of twice the length.
  const factor = [1, 2, 5].find((one) => one * power >= most * (1 - 1e-9)) ?? 10;
  return factor * power;
}
