using module ./Model/Parcel.psm1
using namespace System.IO
. $PSScriptRoot/Clock.ps1
. ./Depot.ps1
Import-Module ./Labels.psm1
Import-Module Pester

$Limit = 100
$script:Opened = $false

enum Level {
    High
    Low = 3
}

# Where parcels are kept.
class Store : Base {
    [Parcel[]] $Parcels
    static [int] $Count = 0

    Store([string] $name) {
        $this.Parcels = @()
    }

    # Finds a parcel.
    [Parcel] Get([int] $id) {
        $found = $this.Parcels | Where-Object { $_.Id -eq $id }
        return $this.Check($found)
    }

    hidden [Parcel] Check([Parcel] $parcel) {
        [Store]::Count += 1
        return $parcel
    }
}

<#
.SYNOPSIS
Finds a parcel.
#>
function Get-Parcel {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [int] $Id,
        [Level] $Level = [Level]::High
    )
    $store = [Store]::new("main")
    $parcel = $store.Get($Id)
    if ($Id -gt $Limit) { Write-Missing -Id $Id }
    $parcel | Save-Parcel
}

function script:Write-Missing($Id) {
    Write-Error "none $(Get-Name $Id)"
}

filter Save-Parcel { $_ }

Get-Parcel -Id 1
Set-Alias gp Get-Parcel
