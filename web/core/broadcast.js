/**
 * How the broadcast is, as its speaker controls it and everyone else is informed.
 *
 * @import { ServerMessage } from "../protocol/declared.js"
 *
 * @typedef {{ isPaused: boolean, isMuted: boolean, volume: number }} Broadcast
 */

import { FLOOR } from "./channels.js";

/**
 * Return the broadcast after a message; as it was if the message is about something else.
 *
 * @param {Broadcast} broadcast @param {ServerMessage} message
 * @returns {Broadcast}
 */
export function afterMessage(broadcast, message) {
  switch (message.type) {
    case "broadcastPaused":
    case "broadcastResumed":
      return { ...broadcast, isPaused: message.type === "broadcastPaused" };
    case "broadcastMuted":
    case "broadcastUnmuted":
      return { ...broadcast, isMuted: message.type === "broadcastMuted" };
    case "volumeChanged":
      return { ...broadcast, volume: message.volumeLevel };
    case "broadcastControl":
      return { isPaused: message.isPaused, isMuted: message.isMuted, volume: message.volume };
    case "speakerStateChanged":
    case "sessionStatus":
      return { ...broadcast, ...message.broadcastState };
    default:
      return broadcast;
  }
}

/** Return how loud a channel is, from 0 to 1. A muted speaker is silent; an interpreter may finish a sentence. @param {Broadcast} broadcast @param {string} channel */
export function loudnessOf({ isMuted, volume }, channel) {
  return isMuted && channel === FLOOR ? 0 : volume;
}
