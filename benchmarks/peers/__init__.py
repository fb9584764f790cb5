# SPDX-License-Identifier: MIT
"""The league: perfcore against its peers on the same work, interleaved. See README.md beside this file."""
