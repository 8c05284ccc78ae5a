/**
 * Cuts where a cyclic hash of the last 32 bytes has 17 zero bits at its end, so that equal content is cut equally wherever it is.
 * Source: boxo `chunker/buzhash.go`, whose sizes and table are part of every CID that it makes.
 */
import type { Cut } from './chunker.ts';

const sizeMin = 128 * 1024;
const sizeMax = 512 * 1024;
const windowSize = 32;
const mask = (1 << 17) - 1;

/** One random number for each byte, as 8 digits. */
const table: Int32Array = Int32Array.from(
  [
    '6236e7d510279b0b72818182dc5265142fd41e3d777ef8c883ee52852c8f36372f049c1a57df97919207151f9b54481874eef6582028ca60',
    '0271d91a27ae587eecf9fa5f236e71cdf43a8a2e0bb133809e57912c89a26cdb9fcf3d71a86da6f19c49f376346aecc7f094a9eeea99e9cb',
    'b01713c6088acffb2960a0fb344a626c7ff22a466d7a1aa56a71491641d454ca8325b8300b65f563447feccaf9d0ea5ec1d9d3d4cb5ec574',
    '55aae90286edc0e70d3a9e33e70dc1e1e3c5f6399b43140ac6490ac55e4030fb8e976dd5a87468eaf830ef6fcc1ed5a5611f4e78ddd11905',
    'f2613904566c67b9905a5ccc7b37b3a44b53898a6b8fd29daad81575511be4143cfac1e78029a179d40efeda07380e02dc9beffd2d049082',
    '99bc7831ff5002a821ce764601cd049b0f43994fc3c6c5a5bbda5f500ec15ec79adb19b60c1e80b9b9b52968ae1624192542b40591a42e9d',
    '6be0f6686ed7a6b9bc2777b4e162ce564266aad560fdb70466f832a59595f6cafee83ced55228d9912bf0e28668964590789afda0282baa8',
    '2367a343591491b02ff1a4b1410739b69b7055a02e0eb22924fc82523327d3dfb07826691c62e0697f503101f50593aed9eb275de00eb678',
    '5917ccde97b9660add06202ded229e22a9c735bfd6316fe66fc72e4c0206dfa2d6b15c5a69d87b4909c9774513445d6135a975aa859aa9b9',
    '65380013d1fb6391c29255fd784a3b91b9e74c2663ce4d40c07cbe9ee6e4529e0fb3632f9438d9c9682f94a8f8fd4611257ec1ed475ce3d6',
    '60ee2db12afab0022b9e487886b340de1482fdcafe41b3bfd4a412b0e09db98cc1af5d537e55e25fd3346b38b7a12cbd9c6827ba71f78bee',
    '8c3a0f52150491b0f26de912233e3a4ed309ebbaa0a9e0ffca2b5921eeb9893c33829e889870cc2a23c4b9d0eba32ea3bdac4d223bc8c44c',
    '1e8d0397f9327735783b009f0eb837422621dc71ed017d035c760aa15a69814b96e3047fa93c9cde615c86f5b4322aa54225534d0d2e2de3',
    'ccfccc4b0bac2a57f0a06d04bc78d737f2d1f766f5a7953cbcdfda855213b7d5bce8a328d38f5f18db094244fe571253317fa7ee4a324f43',
    '3ffc39d951b3fa8e7a4bee9f78bbc6829f5c035002fe286c245ab686ed6bf7d70ac4988a3fe010fac65fe369a45749cb2b84e537de9ff363',
    '20540f9aaa8c9b345bc476b31d574bd7929100ad4721de4d27df1b0558b18546b7e76764df904e5897af57a1bd4dc433a6256dfdf63998f3',
    'f1e05833e20acf26f57fd9d690300b4d89df429068d01cbccf893ee3cc42a046778e181b67265c76e981a4c482991da1708f7294e6e2ae62',
    'fc44187095e1b0b60445f8255a93b47f5e9cf4be84da71e79d9582b09bf835ef591f61e2433259855d2de32e8d8fbf0f95b30f3807ad5b6e',
    '4e934edf3cd4990e9053e2595c41857d',
  ]
    .join('')
    .match(/.{8}/g) ?? [],
  (digits) => Number.parseInt(digits, 16) | 0,
);

/** 128 to 512 KiB. */
export const buzhash: Cut = {
  sizeMax,
  lengthOf(bytes) {
    if (bytes.length < sizeMin) return bytes.length;
    let state = 0;
    for (let i = sizeMin - windowSize; i < sizeMin; i++) state = rotated(state) ^ byteHash(bytes, i);
    for (let end = sizeMin; end < bytes.length; end++) {
      if ((state & mask) === 0) return end;
      state = rotated(state) ^ byteHash(bytes, end - windowSize) ^ byteHash(bytes, end);
    }
    return bytes.length;
  },
};

function rotated(state: number): number {
  return (state << 1) | (state >>> 31);
}

function byteHash(bytes: Uint8Array, at: number): number {
  return table[bytes[at] ?? 0] ?? 0;
}
