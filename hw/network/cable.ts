/**
 * Between a network card and what is plugged into it.
 *
 * A frame is an Ethernet frame from destination address to payload (IEEE 802.3, 3.1.1), without preamble and without
 * frame check sequence. A cable does not wait: what finds no room is dropped and counted, as on a wire.
 */

/** Frames of a cable since it was opened, seen from the card. */
export interface CableStatistics {
  /** Frames the card has sent, and how many of them were dropped. */
  readonly sent: number;
  readonly sendDrops: number;
  /** Frames that came for the card, and how many of them were dropped before they reached it. */
  readonly received: number;
  readonly receiveDrops: number;
}

/** What the card is to whatever is plugged in. */
export interface NetworkPort {
  /**
   * Whether the card has room for a frame of any size. Having said no it calls `receiveReady` when it has. A cable that
   * can let frames wait elsewhere does so until then; another one delivers, and the card loses what does not fit.
   */
  ready(): boolean;
  /** Delivers a frame. The card keeps no reference to it. */
  receive(frame: Uint8Array): void;
}

/**
 * What is plugged into a network card. `send` is called in the middle of a port access: it never calls the port back
 * itself, but after the access.
 */
export interface Cable {
  /** One line for people: what the card is connected to. */
  readonly description: string;
  /** Whether there is anybody at the other end: without, the card misses its carrier. */
  readonly linked: boolean;
  readonly statistics: CableStatistics;
  /** Called once, by whoever builds the machine, before any other method. */
  connect(port: NetworkPort): void;
  /** Takes a frame from the card. It lies in the card's memory: whoever keeps it copies it. */
  send(frame: Uint8Array): void;
  /**
   * The card, having had no room, has room again. It is called at the end of a port access, so frames may come at once.
   */
  receiveReady(): void;
  /** Lets go of everything that the cable has opened on the host. */
  close(): Promise<void>;
}

/** Nothing plugged in: sent frames are lost. */
export const NO_CABLE: Cable = {
  description: 'none',
  linked: false,
  statistics: { sent: 0, sendDrops: 0, received: 0, receiveDrops: 0 },
  connect: () => {},
  send: () => {},
  receiveReady: () => {},
  close: () => Promise.resolve(),
};
