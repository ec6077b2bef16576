"""The release gate for next-embedding predictors.

The four links beside this file are the directories at the top of the repository: what is imported and installed is
``lvm_gates.harness`` and so on, because a ``models/`` or ``trainers/`` stands in nearly every repository that this
package is installed into.
"""
