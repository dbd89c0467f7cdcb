/** Opens a microphone; the browser asks the person, if it has to. */

/**
 * Return the sound of a microphone. What goes wrong has a name of its own: `whyNoMicrophone` puts it in words.
 *
 * @param {boolean} clean whether the browser reduces echo and noise @param {string} deviceId empty: the default
 */
export async function openMicrophone(clean, deviceId) {
  // There is none on a page without TLS, whatever the types say.
  if (!navigator.mediaDevices) throw new DOMException("", "NotSupportedError");
  const cleaning = { echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean };
  const chosen = deviceId === "" ? {} : { deviceId: { exact: deviceId } };
  return navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, ...cleaning, ...chosen } });
}
