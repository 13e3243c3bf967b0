// The sound of an incoming call, made here: two soft tones, as often as it rings. Silent unless it was switched on.

/** Gives ring(yes), to be told every second whether something rings. sounds(): whether it may be heard. */
export function startRinging(sounds) {
  let context = null;

  function tone(at) {
    for (const pitch of [440, 480]) {
      const sound = context.createOscillator();
      const volume = context.createGain();
      sound.frequency.value = pitch;
      volume.gain.setValueAtTime(0, at);
      volume.gain.linearRampToValueAtTime(0.06, at + 0.03);
      volume.gain.setValueAtTime(0.06, at + 0.35);
      volume.gain.linearRampToValueAtTime(0, at + 0.4);
      sound.connect(volume).connect(context.destination);
      sound.start(at);
      sound.stop(at + 0.45);
    }
  }

  return (yes) => {
    if (!yes || !sounds()) return;
    // Browsers allow sound only after the person did something on the page.
    if (!navigator.userActivation?.hasBeenActive) return;
    context ??= new AudioContext();
    tone(context.currentTime + 0.02);
  };
}
