using System;
using System.Collections.Generic;
using static System.Math;
using Files = System.IO.File;

namespace Acme.Parcels
{
    /// <summary>Keeps parcels.</summary>
    [Serializable]
    public abstract class Store<T> : BaseStore<T>, IStore, Model.IClosable where T : Parcel
    {
        public const int Limit = 100;
        private readonly List<T> _parcels = new List<T>(), _others;
        public string Name { get; set; } = "store";
        public int Count => _parcels.Count;
        public event EventHandler Changed;
        public T this[int i] => _parcels[i];

        public Store(IClock clock) : base(clock)
        {
            Name = clock.Now();
        }

        // Finds one.
        [Obsolete("slow")]
        public async Task<T> Get(string id, Level level = Level.High)
        {
            foreach (var parcel in _parcels)
            {
                if (parcel.Id == id) return Pick(parcel);
            }
            int Rank(int n) => n + Limit;
            var made = new Parcel(id, Rank(1));
            Console.WriteLine(Files.ReadAllText(Name));
            return await this.Load<T>(made)?.First() ?? default;
        }

        protected abstract T Pick(T parcel);
    }

    public interface IStore { void Close(); }

    public enum Level { Low, High = 2 }

    public struct Point { public int X; }

    public record Entry(int Id, string Name);

    public delegate void Handler(Parcel parcel);
}
