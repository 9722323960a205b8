"""CRC-32C (Castagnoli 1993), the checksum of TensorBoard's event files, a byte at a time by table (Sarwate 1988)."""

import numpy as np

from ._jit import kernel

POLYNOMIAL = 0x82F63B78
"""0x1EDC6F41 with its bits reversed, as the lowest bit goes first."""
TABLE = np.arange(256)
for _ in range(8):
    TABLE = np.where(TABLE & 1, TABLE >> 1 ^ POLYNOMIAL, TABLE >> 1)


@kernel("int64(uint8[::1])")
def crc32c(data):
    """The checksum of data (n,) uint8, from 0 to 2³² − 1; 0 for no data."""
    crc = 0xFFFFFFFF
    for i in range(data.shape[0]):
        crc = TABLE[(crc ^ np.int64(data[i])) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
